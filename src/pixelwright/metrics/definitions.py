"""Which number is computed how. Each definition has its section in docs/metrics.md, under its id."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Definition:
    """How a number is computed.

    Attributes:
        id: From the first release on never given to another computation; its section in docs/metrics.md has it as its
            heading.
        metrics: Names of the scores computed so. A name with `/LABEL` behind it is the same for that class alone.
        formula: In words and symbols.
        source: Where it comes from.
        higher_is_better: Whether more is better.
    """

    id: str
    metrics: tuple[str, ...]
    formula: str
    source: str
    higher_is_better: bool = True


SOKOLOVA = "Sokolova and Lapalme, A systematic analysis of performance measures for classification tasks, 2009"
COCO = "COCO detection evaluation, pycocotools cocoeval.py, https://cocodataset.org/#detection-eval"
GUO = "Guo et al., On Calibration of Modern Neural Networks, ICML 2017"
WANG = "Wang et al., Image Quality Assessment: From Error Visibility to Structural Similarity, IEEE TIP 13 (4), 2004"
LONG = "Long, Shelhamer and Darrell, Fully Convolutional Networks for Semantic Segmentation, CVPR 2015"
KIRILLOV = "Kirillov et al., Panoptic Segmentation, CVPR 2019"


def _averaged(name: str) -> tuple[str, ...]:
    return (name, *(f"{name}_{average}" for average in ("macro", "micro", "weighted")))


TABLE: tuple[Definition, ...] = (
    Definition("accuracy", ("accuracy",), "pictures whose highest score is the true class / pictures", SOKOLOVA),
    Definition(
        "top5-accuracy",
        ("top5_accuracy",),
        "pictures whose true class is among the five highest scores / pictures",
        "Russakovsky et al., ImageNet Large Scale Visual Recognition Challenge, IJCV 115, 2015",
    ),
    Definition("exact-match", ("exact_match",), "pictures with exactly the true set of labels / pictures", SOKOLOVA),
    Definition("precision", _averaged("precision"), "TP / (TP + FP), answers at the bundle's thresholds", SOKOLOVA),
    Definition("recall", _averaged("recall"), "TP / (TP + FN), answers at the bundle's thresholds", SOKOLOVA),
    Definition("f1", _averaged("f1"), "2 TP / (2 TP + FP + FN), answers at the bundle's thresholds", SOKOLOVA),
    Definition(
        "sensitivity-specificity",
        ("sensitivity", "specificity", "specificity_macro"),
        "TP / (TP + FN) and TN / (TN + FP); of two classes the second is the positive one",
        "Altman and Bland, Diagnostic tests 1: sensitivity and specificity, BMJ 308, 1994",
    ),
    Definition(
        "auroc",
        ("auroc",),
        "P(score of a positive > score of a negative) + P(equal) / 2, one class against the rest, mean over classes",
        "Hanley and McNeil, The meaning and use of the area under a ROC curve, Radiology 143, 1982",
    ),
    Definition(
        "average-precision",
        ("average_precision",),
        "sum over thresholds of (recall step) x precision, without interpolation, mean over classes",
        "Manning, Raghavan and Schuetze, Introduction to Information Retrieval, 2008, section 8.4",
    ),
    Definition(
        "ece-15",
        ("ece",),
        "sum over 15 equal-width bins of the highest score: bin share x |accuracy - mean confidence|",
        f"{GUO}, equation 3",
        higher_is_better=False,
    ),
    Definition(
        "ece-15-pooled",
        ("ece_pooled",),
        "as ece-15, over every score of every picture, accuracy being the share of positives",
        f"{GUO}, equation 3, on each label by itself",
        higher_is_better=False,
    ),
    Definition(
        "brier",
        ("brier",),
        "mean over pictures of the sum over classes of (score - truth)^2",
        "Brier, Verification of forecasts expressed in terms of probability, Monthly Weather Review 78, 1950",
        higher_is_better=False,
    ),
    Definition(
        "ap-coco",
        ("AP", "AP50", "AP75", "AP_small", "AP_medium", "AP_large"),
        "mean over classes and IoU 0.5, 0.55 ... 0.95 of precision at 101 recalls; 100 boxes a picture; boxes",
        COCO,
    ),
    Definition(
        "ar-coco",
        ("AR1", "AR10", "AR100", "AR_small", "AR_medium", "AR_large"),
        "mean over classes and IoU 0.5, 0.55 ... 0.95 of the highest recall with 1, 10, 100 boxes a picture",
        COCO,
    ),
    Definition(
        "ap-coco-mask",
        ("mask_AP", "mask_AP50", "mask_AP75", "mask_AP_small", "mask_AP_medium", "mask_AP_large"),
        "as ap-coco, IoU and area of masks",
        COCO,
    ),
    Definition(
        "ar-coco-mask",
        ("mask_AR1", "mask_AR10", "mask_AR100", "mask_AR_small", "mask_AR_medium", "mask_AR_large"),
        "as ar-coco, IoU and area of masks",
        COCO,
    ),
    Definition(
        "ap-crowd",
        ("AP_1000", "AP50_1000"),
        "as ap-coco, with 1000 boxes a picture",
        COCO,
    ),
    Definition(
        "ap-crowd-mask",
        ("mask_AP_1000", "mask_AP50_1000"),
        "as ap-crowd, IoU of masks",
        COCO,
    ),
    Definition(
        "detection-f1-50",
        ("precision50", "recall50", "f1_50", "mask_precision50", "mask_recall50", "mask_f1_50"),
        "TP / (TP + FP), TP / (TP + FN), 2 TP / (2 TP + FP + FN) at IoU 0.5 and the bundle's thresholds, all classes",
        "Everingham et al., The PASCAL Visual Object Classes Challenge, IJCV 88, 2010, section 4.2 (the matching)",
    ),
    Definition(
        "ap-dsb",
        ("DSB_AP", "DSB_AP50", "DSB_AP75"),
        "TP / (TP + FP + FN) over all pictures, masks, at the bundle's thresholds; mean of IoU 0.5 ... 0.95",
        "Weigert et al., Star-convex Polyhedra, WACV 2020, section 4; counts summed over the pictures",
    ),
    Definition(
        "ap-dsb-picture",
        ("DSB_AP_by_picture",),
        "mean over pictures of the mean over IoU 0.5 ... 0.95 of TP / (TP + FP + FN)",
        "Caicedo et al., Nucleus segmentation across imaging experiments, Nature Methods 16, 2019",
    ),
    Definition(
        "panoptic-quality",
        ("PQ", "SQ", "RQ"),
        "sum of IoU of matches / (TP + FP / 2 + FN / 2), match: IoU > 0.5; SQ: mean IoU of matches; RQ: F1; mean over "
        "classes",
        KIRILLOV,
    ),
    Definition("miou", ("mIoU", "IoU"), "TP / (TP + FP + FN) in pixels of all pictures, mean over classes", LONG),
    Definition(
        "dice",
        ("dice",),
        "2 TP / (2 TP + FP + FN) in pixels of all pictures, mean over classes",
        "Dice, Measures of the amount of ecologic association between species, Ecology 26 (3), 1945",
    ),
    Definition("pixel-accuracy", ("pixel_accuracy",), "pixels with their true class / pixels", LONG),
    Definition(
        "boundary-f",
        ("boundary_f",),
        "2 P R / (P + R) of contour pixels within 0.75 % of the diagonal, mean over pictures with the class, then "
        "over classes",
        "Csurka, Larlus and Perronnin, What is a good evaluation measure for semantic segmentation?, BMVC 2013",
    ),
    Definition(
        "psnr-rgb",
        ("psnr_rgb",),
        "10 log10(white^2 / MSE) in dB over all pixels and channels, no border left out, mean over pictures",
        "Wang and Bovik, Mean Squared Error: Love It or Leave It?, IEEE Signal Processing Magazine 26 (1), 2009",
    ),
    Definition(
        "psnr-y",
        ("psnr_y",),
        "PSNR of BT.601 studio-range luma (16..235 of 255), a border as wide as the scale left out where pictures are "
        "enlarged, mean over pictures",
        "Timofte et al., NTIRE 2017 Challenge on Single Image Super-Resolution, CVPRW 2017",
    ),
    Definition(
        "ssim-rgb",
        ("ssim_rgb",),
        "SSIM with an 11 x 11 Gaussian of sigma 1.5, K1 = 0.01, K2 = 0.03, population covariance, 5 px border left "
        "out, mean over channels and pictures",
        WANG,
    ),
    Definition(
        "ssim-y",
        ("ssim_y",),
        "as ssim-rgb on BT.601 studio-range luma with a range of 255, a border as wide as the scale left out first "
        "where pictures are enlarged",
        WANG,
    ),
    Definition("mse", ("mse", "rmse"), "mean of (prediction - truth)^2; rmse is its root", SOKOLOVA, False),
    Definition(
        "mae",
        ("mae",),
        "mean of |prediction - truth|",
        "Willmott and Matsuura, Advantages of the mean absolute error, Climate Research 30, 2005",
        higher_is_better=False,
    ),
    Definition(
        "r2",
        ("r2",),
        "1 - sum (truth - prediction)^2 / sum (truth - mean truth)^2, mean over values",
        "Draper and Smith, Applied Regression Analysis, 1998, section 1.3",
    ),
)

# Errors have no upper end, decibels neither, and R² has no lower one.
_NO_SHARES = frozenset({"brier", "psnr-rgb", "psnr-y", "mse", "mae", "r2"})

_BY_METRIC = {metric: definition for definition in TABLE for metric in definition.metrics}


def definition_of(metric: str) -> Definition:
    """The definition of a score by its name, `f1_macro` or `f1/cat`.

    Raises:
        KeyError: No metric of ours has that name.
    """
    return _BY_METRIC[metric.partition("/")[0]]


def is_share(metric: str) -> bool:
    """Whether a score, by its name, is 0..1 and can be told in points of a hundred.

    Raises:
        KeyError: No metric of ours has that name.
    """
    return definition_of(metric).id not in _NO_SHARES
