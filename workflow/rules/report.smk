"""What a run made, on a page that stands alone; and a page that plays one transfer."""


rule write_report:
    input:
        report_files,
    output:
        page=report(
            "results/report.html",
            caption="../report/page.rst",
            category="Whole report",
            labels={"kind": "page"},
        ),
    log:
        "logs/write_report.log",
    benchmark:
        "results/benchmarks/write_report.tsv"
    conda:
        "../../envs/edn.yaml"
    resources:
        **asks("pictures", ""),
    params:
        # Nothing configured: it shows what was finished, none of which it makes anew.
        pairs=TRANSFERS,
        found={} if TRANSFERS else finished_transfers(),
        settings=lambda wildcards: asdict(SETTINGS) | {"preset": PRESET[0]},
        because=PRESET[1],
        revision=REVISIONS["report"],
    script:
        "../scripts/write_report.py"


rule watch_video:
    input:
        comparison="results/transfer/{source}_to_{target}/comparison.mp4",
    output:
        page=report(
            "results/transfer/{source}_to_{target}/watch.html",
            caption="../report/watch.rst",
            category="Transfers",
            labels={"source": "{source}", "target": "{target}", "kind": "play"},
        ),
    log:
        "logs/transfer/{source}_to_{target}/watch_video.log",
    benchmark:
        "results/benchmarks/transfer/{source}_to_{target}/watch_video.tsv"
    conda:
        "../../envs/edn.yaml"
    resources:
        **asks("keypoints", "source"),
    params:
        report=section("report"),
        revision=REVISIONS["report"],
    script:
        "../scripts/watch_video.py"
