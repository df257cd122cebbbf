"""The one table of numerical tolerances: (relative, absolute). Integers and labels are exact."""

FLOAT32 = (1e-4, 1e-5)
FLOAT16 = (1e-3, 1e-3)
BFLOAT16 = (8e-3, 8e-3)
ACROSS_RUNTIMES = (1e-3, 1e-3)
