"""Can the synthesized frames be told from real ones? A detector, tested on people held out."""

_named = sorted({*SETTINGS.forensics.train, *SETTINGS.forensics.test})
_all_are_named = SETTINGS.forensics.train and SETTINGS.forensics.test
FORENSIC_SUBJECTS = _named if _all_are_named else list(dict.fromkeys([*ALL_TARGETS, *_named]))
FORENSIC_TRANSFERS = [
    (source, target) for source, target in TRANSFERS if target in FORENSIC_SUBJECTS
]


rule synthesize_own_dance:
    input:
        generator=f"results/models/{{target}}/{STAGES[-1]}/generator.safetensors",
        labels=of_video("labels.zip", "target"),
        keypoints=of_video("keypoints.h5", "target"),
        room_report=shadow_of_target,
    output:
        frames="results/forensics/{target}/frames.zip",
    log:
        "logs/forensics/{target}.log",
    benchmark:
        "results/benchmarks/forensics/{target}.tsv"
    conda:
        "../../envs/edn-gpu.yaml"
    threads: 4
    resources:
        **asks("networks", "target"),
        gpu=1,
    params:
        split=lambda wildcards: split_settings(wildcards.target),
        revision=REVISIONS["synthesis"],
    script:
        "../scripts/synthesize_own_dance.py"


rule train_detector:
    input:
        videos=lambda wildcards: [video_file(name) for name in FORENSIC_SUBJECTS],
        rooms=(
            []
            if SETTINGS.background == "paint"
            else expand("results/videos/{name}/room.png", name=FORENSIC_SUBJECTS)
        ),
        frames=expand("results/videos/{name}/frames.zip", name=FORENSIC_SUBJECTS),
        keypoints=expand("results/videos/{name}/keypoints.h5", name=FORENSIC_SUBJECTS),
        own=expand("results/forensics/{name}/frames.zip", name=FORENSIC_SUBJECTS),
        transfers=of_pairs(FORENSIC_TRANSFERS, "frames.zip"),
        poses=of_pairs(FORENSIC_TRANSFERS, "keypoints.h5"),
    output:
        detector="results/forensics/detector.safetensors",
        metrics="results/forensics/metrics.json",
        examples=report(
            "results/forensics/examples.png",
            caption="../report/forensics.rst",
            category="Forensics",
            labels={"kind": "examples"},
        ),
    log:
        "logs/forensics/train_detector.log",
    benchmark:
        "results/benchmarks/forensics/train_detector.tsv"
    conda:
        "../../envs/edn-gpu.yaml"
    threads: 4
    resources:
        **asks("detector", FORENSIC_SUBJECTS[0] if FORENSIC_SUBJECTS else ""),
        gpu=1,
    params:
        names=FORENSIC_SUBJECTS,
        targets=[target for _, target in FORENSIC_TRANSFERS],
        forensics=section("forensics"),
        revision=REVISIONS["forensics"],
    script:
        "../scripts/train_detector.py"
