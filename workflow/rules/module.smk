"""Where things lie when this workflow is a module of another; no rule stands here."""

from dataclasses import replace

from snakemake.io import flag
from snakemake.path_modifier import PATH_MODIFIER_FLAG

IS_MODULE = not workflow.modifier.is_main_snakefile()


def placed(path):
    """Where a relative path lies: as it stands, or in a module behind the prefix it was given.

    Snakemake puts the prefix before the files of rules; paths that this workflow looks at itself
    come through here.
    """
    return workflow.modifier.path_modifier.replace_prefix(path) if IS_MODULE else path


def as_placed(path):
    """A path that came through `placed`, marked so that Snakemake puts no second prefix there."""
    return flag(str(path), PATH_MODIFIER_FLAG) if IS_MODULE else path


def place_settings(settings):
    """The settings with every path where it lies."""
    pose = settings.pose
    return replace(
        settings,
        videos_folder=placed(settings.videos_folder),
        pose=replace(
            place_paths(pose, "models_folder", "openpose_files"),
            openpose=place_paths(pose.openpose, "body", "hand", "face"),
            wholebody=place_paths(pose.wholebody, "detector", "pose"),
        ),
        training=place_paths(settings.training, "vgg19"),
        evaluation=place_paths(settings.evaluation, "alexnet"),
    )


def place_paths(section, *names):
    """A section with these paths where they lie; what is not set, or no path, stays so."""
    paths = {name: getattr(section, name) or "auto" for name in names}
    paths = {name: path for name, path in paths.items() if path != "auto" and "://" not in path}
    return replace(section, **{name: placed(path) for name, path in paths.items()})


def asked_for():
    """Paths of results that the run is asked for, without a module's prefix.

    Of a module's, those without it are left out: they are another workflow's.
    """
    results = placed("results/")
    targets = sorted(workflow.dag_settings.targets)
    return [f"results/{one.removeprefix(results)}" for one in targets if one.startswith(results)]
