"""`ExperimentStack`: one study online. Only wires constructs; each has its own module."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from aws_cdk import Annotations, CfnOutput, CfnWaitConditionHandle, Stack, Tags
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra.monitoring import Monitoring
from infra.session_api import SessionApi
from infra.session_storage import SessionStorage
from infra.site import Site
from lambdas.assemble import assemble_session_api
from lwise_core import aws_names
from lwise_core.authoring.compile import compile_study
from lwise_core.authoring.folder import StudyFolder
from lwise_core.authoring.study_parts import CompiledStudy
from lwise_core.cloud.naming import experiment_stack_name, name_in_account, stimulus_bucket_name
from lwise_core.errors import InputError
from lwise_core.experiments.bundle import to_bundle
from lwise_core.experiments.study import CodeReferences
from lwise_core.sessions.links import platform_links
from lwise_core.sessions.page_headers import page_headers

_PLACEHOLDER_ADDRESS = "https://address"


class ExperimentStack(Stack):
    """Page, images, API, function, tables and alarms of one study.

    Destroying the stack retains participants' data, unless the study says `on_destroy: delete`. A study that cannot be
    deployed (missing data file, error in its config) becomes a stack without resources and with an error annotation: it
    is listed, and does not block other studies. Stacks that `cdk` did not select (`cdk ls`, `cdk destroy`,
    `cdk deploy --exclusively`) only get their name, which saves compiling the study.
    """

    def __init__(
        self, scope: Construct, id_: str, *, study: StudyFolder, page: Path, work: Path, **options: Any
    ) -> None:
        """
        Parameters
        ----------
        page : folder of the built page.
        work : folder for the assembled files of the deployment.
        """
        super().__init__(scope, id_, stack_name=_name_of(study), description=f"lwise study {study.study_id}", **options)
        if not self.bundling_required:
            self._build_placeholder()
            return
        try:
            if not (page / "index.html").is_file():
                raise InputError(f"{page}: the participant's page is not built; run `make site`")
            compiled = compile_study(study)
            parameters = _parameters(compiled.study.codes)
        except InputError as error:
            self._build_placeholder()
            Annotations.of(self).add_error(str(error))
        else:
            self._build(compiled, parameters=parameters, page=page, work=work / id_)

    def _build_placeholder(self) -> None:
        CfnWaitConditionHandle(self, "Nothing")  # CloudFormation rejects templates without resources

    def _build(self, compiled: CompiledStudy, *, parameters: Sequence[str], page: Path, work: Path) -> None:
        deployment, dataset = compiled.config.deployment, compiled.config.stimuli.dataset
        files = compiled.files if dataset is None else {}
        self.termination_protection = deployment.termination_protection
        code, images = work / "function", work / "pictures"
        assemble_session_api(code, to_bundle(compiled.study))
        _copy_images(files, images)
        self.storage = SessionStorage(self, "Storage", keep=deployment.on_destroy == "keep")
        self.sessions = SessionApi(
            self,
            "Sessions",
            code=code,
            storage=self.storage,
            parameters=parameters,
            rate_limit=deployment.throttle.per_second,
            burst_limit=deployment.throttle.at_once,
        )
        self.site = Site(
            self,
            "Site",
            api=self.sessions.api,
            headers=page_headers(compiled.study),
            page=page,
            own_images=images if files else None,
            stimulus_bucket=None if dataset is None else self._stimulus_bucket(dataset),
            domain=deployment.domain,
        )
        Monitoring(self, "Monitoring", function=self.sessions.function, email=deployment.alarm_email)
        for name, value in {aws_names.STUDY_TAG: compiled.study.study_id, **deployment.tags}.items():
            Tags.of(self).add(name, value)
        self._add_outputs(compiled)

    def _stimulus_bucket(self, dataset: str) -> s3.IBucket:
        """The bucket of a `StimulusStack`; its own policy lets the distribution read it."""
        return s3.Bucket.from_bucket_name(self, "Stimuli", stimulus_bucket_name(dataset, self.account, self.region))

    def _add_outputs(self, compiled: CompiledStudy) -> None:
        storage = self.storage
        outputs = {
            aws_names.ADDRESS: self.site.url,
            aws_names.DOMAIN_TARGET: self.site.distribution.distribution_domain_name,
            aws_names.DATA_BUCKET: storage.data_bucket.bucket_name,
            aws_names.SESSION_TABLE: storage.session_table.table_name,
            aws_names.COUNTER_TABLE: storage.counter_table.table_name,
        }
        # Only CloudFormation knows the address: make links for a placeholder and replace it.
        for link in platform_links(_PLACEHOLDER_ADDRESS, compiled.study.platforms):
            name = f"{aws_names.LINK}{_letters(link.platform)}"
            outputs[name] = link.url.replace(_PLACEHOLDER_ADDRESS, self.site.url, 1)
        for id_, value in outputs.items():
            CfnOutput(self, id_, value=value).override_logical_id(id_)


def _name_of(study: StudyFolder) -> str:
    """The stack's name in the account. Without a valid config the stack is never deployed, so the default will do."""
    try:
        return name_in_account(study)
    except InputError:
        return experiment_stack_name(study.study_id)


def _parameters(codes: CodeReferences) -> list[str]:
    """Names of the SSM parameters that hold the codes.

    Raises
    ------
    InputError
        If a code is not in SSM, where the function looks it up.
    """
    references = [reference for reference in vars(codes).values() if reference is not None]
    for reference in references:
        if not reference.startswith(aws_names.SSM):
            raise InputError(
                f"deployment: a code is {reference}; a deployed study needs ssm:NAME, e.g. ssm:/lwise/done"
            )
    return [reference.removeprefix(aws_names.SSM) for reference in references]


def _letters(platform: str) -> str:
    """A platform's label, for use in an output's id."""
    return "".join(character for character in platform.title() if character.isascii() and character.isalnum())


def _copy_images(files: Mapping[str, Path], folder: Path) -> None:
    """Copy a study's images into one folder, under their opaque names."""
    folder.mkdir(parents=True)
    for name, path in files.items():
        shutil.copyfile(path, folder / name)
