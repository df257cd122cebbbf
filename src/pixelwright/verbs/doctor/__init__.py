"""Doctor: what is wrong with a data set, before somebody trains on it."""

from pixelwright.verbs.doctor.examine import examine, open_patient
from pixelwright.verbs.doctor.finding import CHECKS, Case, Diagnosis, Finding
from pixelwright.verbs.doctor.page import write_report

__all__ = ["CHECKS", "Case", "Diagnosis", "Finding", "examine", "open_patient", "write_report"]
