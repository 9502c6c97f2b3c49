"""`lwise stimuli`: publish images that several studies share."""

from __future__ import annotations

from pathlib import Path

import typer

from lwise_core.cli.progress import say, step
from lwise_core.errors import InputError

app = typer.Typer(help="Images that several studies share.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    pass


@app.command()
def publish(
    dirmap: Path = typer.Argument(help="Dirmap (.csv) of the data set."),
    variants: Path = typer.Option(..., help="Folder of variants that `lwise enhance` wrote."),
    dataset: str = typer.Option(..., help="Name of the data set, as studies give it in stimuli.dataset."),
    variant: list[str] = typer.Option([], help="Only this variant; may be given several times (default: all)."),
    manifest: Path = typer.Option(
        Path("stimuli.csv"), help="Manifest of the published images, for the study's folder."
    ),
    overwrite: bool = typer.Option(
        False, "--overwrite", help="Let a variant take the name of one made otherwise; that one is kept as NAME@1 …"
    ),
    dry_run: bool = typer.Option(False, "--dry-run", help="Say what would be uploaded, and change nothing."),
) -> None:
    """Upload the images of a data set under opaque names; existing ones are skipped.

    May be cut short and run again: it goes on where it stopped. Rows of other variants in the manifest stay; how each
    variant was made is kept beside it, in `stimuli.provenance.json`.

    Example: `lwise stimuli publish variants/dirmap.csv --variants variants --dataset idaea4`
    """
    from lwise_core.authoring.provenance import read_provenance
    from lwise_core.authoring.republishing import Publication, merged, read_publication, write_publication
    from lwise_core.cloud.stimuli import missing_stimuli, name_images, stimulus_bucket, upload
    from lwise_core.dirmap import read_dirmap

    im_paths = [row.im_path for row in read_dirmap(dirmap)]
    names = variant or sorted(path.name for path in variants.glob("*") if path.is_dir())
    if not names:
        raise InputError(f"{variants}: holds no variants; expected a folder for each")
    bucket = stimulus_bucket(dataset)
    with step("Reading the images") as on_progress:
        published, files = name_images(variants, names, im_paths, on_progress=on_progress)
    new = Publication(published, {name: read_provenance(variants / name) for name in names})
    manifest_after = merged(read_publication(manifest), new, overwrite=overwrite, manifest=manifest)
    waiting = missing_stimuli(bucket, files)
    megabytes = sum(path.stat().st_size for path in waiting.values()) / 1e6
    what = f"{len(waiting)} of {len(files)} images ({', '.join(names)}; {megabytes:.1f} MB)"
    if dry_run:
        _say(f"{bucket}: {what} would be uploaded")
        return
    with step("Uploading") as on_progress:
        upload(bucket, waiting, on_progress=on_progress)
    write_publication(manifest, manifest_after)
    _say(f"{bucket}: {what} uploaded; {manifest}: {len(manifest_after.rows)} rows")


def _say(text: str) -> None:
    say(text)
