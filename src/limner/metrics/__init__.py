"""Numbers about pictures: feature extractors, one metric a file, and the suite that sees each picture once."""

from __future__ import annotations

from limner.core.registry import Registry

METRICS = Registry(
    "metric",
    {
        "fid": "limner.metrics.fid:Fid",
        "kid": "limner.metrics.kid:Kid",
        "is": "limner.metrics.inception_score:InceptionScore",
        "prdc": "limner.metrics.prdc:Prdc",
        "accuracy": "limner.metrics.class_accuracy:ClassAccuracy",
        "memorisation": "limner.metrics.memorisation:Memorisation",
        "lpips": "limner.metrics.lpips:Lpips",
        "ssim": "limner.metrics.ssim:Ssim",
        "ms-ssim": "limner.metrics.ms_ssim:MsSsim",
        "psnr": "limner.metrics.psnr:Psnr",
        "l1": "limner.metrics.l1:L1",
    },
    group="limner.metrics",
)

FEATURES = Registry(
    "feature extractor",
    {
        "inception": "limner.metrics.inception:Inception",
        "digits": "limner.metrics.digits:Digits",
        "random": "limner.metrics.random_features:RandomFeatures",
    },
    group="limner.features",
)
