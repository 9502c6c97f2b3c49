"""`ExperimentStack`: one study online. Wires the parts together; what each of them is stands in its own module."""

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

_ANY_ADDRESS = "https://address"


class ExperimentStack(Stack):
    """Page, pictures, API, function, tables and alarms of one study.

    Participants' data are kept when the stack is destroyed, unless the study says `on_destroy: delete`. A study that
    cannot be deployed, because its data file was not fetched or its config has an error, is a stack without resources
    that says why: it is listed, and keeps no other study from being deployed. Of a study that was not asked for, as by
    `cdk ls`, `cdk destroy` or `cdk deploy --exclusively` of another, no more than the name is needed, and made.
    """

    def __init__(
        self, scope: Construct, id_: str, *, study: StudyFolder, page: Path, work: Path, **options: Any
    ) -> None:
        """
        Parameters
        ----------
        page : folder of the built page.
        work : where a folder may be made for files that are put together for the deployment.
        """
        super().__init__(scope, id_, stack_name=_name_of(study), description=f"lwise study {study.study_id}", **options)
        if not self.bundling_required:
            self._build_nothing()
            return
        try:
            if not (page / "index.html").is_file():
                raise InputError(f"{page}: the participant's page is not built; run `make site`")
            compiled = compile_study(study)
            parameters = _parameters(compiled.study.codes)
        except InputError as error:
            self._build_nothing()
            Annotations.of(self).add_error(str(error))
        else:
            self._build(compiled, parameters=parameters, page=page, work=work / id_)

    def _build_nothing(self) -> None:
        CfnWaitConditionHandle(self, "Nothing")  # CloudFormation knows no template without resources

    def _build(self, compiled: CompiledStudy, *, parameters: Sequence[str], page: Path, work: Path) -> None:
        deployment, dataset = compiled.config.deployment, compiled.config.stimuli.dataset
        files = compiled.files if dataset is None else {}
        self.termination_protection = deployment.termination_protection
        code, pictures = work / "function", work / "pictures"
        assemble_session_api(code, to_bundle(compiled.study))
        _gather(files, pictures)
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
            own_pictures=pictures if files else None,
            stimulus_bucket=None if dataset is None else self._stimulus_bucket(dataset),
            domain=deployment.domain,
        )
        Monitoring(self, "Monitoring", function=self.sessions.function, email=deployment.alarm_email)
        for name, value in {aws_names.STUDY_TAG: compiled.study.study_id, **deployment.tags}.items():
            Tags.of(self).add(name, value)
        self._add_outputs(compiled)

    def _stimulus_bucket(self, dataset: str) -> s3.IBucket:
        """The bucket of a `StimulusStack`, whose own policy lets the distribution read it."""
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
        # The address is known to CloudFormation only; links are made for another one, which then gives way to it.
        for link in platform_links(_ANY_ADDRESS, compiled.study.platforms):
            outputs[f"{aws_names.LINK}{_letters(link.platform)}"] = link.url.replace(_ANY_ADDRESS, self.site.url, 1)
        for id_, value in outputs.items():
            CfnOutput(self, id_, value=value).override_logical_id(id_)


def _name_of(study: StudyFolder) -> str:
    """The stack's name in the account; with a config that cannot be read there will be no such stack."""
    try:
        return name_in_account(study)
    except InputError:
        return experiment_stack_name(study.study_id)


def _parameters(codes: CodeReferences) -> list[str]:
    """Names of the SSM parameters that hold the codes.

    Raises
    ------
    InputError
        If a code is somewhere else, where the function could not find it when somebody has earned it.
    """
    references = [reference for reference in vars(codes).values() if reference is not None]
    for reference in references:
        if not reference.startswith(aws_names.SSM):
            raise InputError(
                f"deployment: a code is {reference}; a deployed study needs ssm:NAME, e.g. ssm:/lwise/done"
            )
    return [reference.removeprefix(aws_names.SSM) for reference in references]


def _letters(platform: str) -> str:
    """A platform's label as part of an output's id."""
    return "".join(character for character in platform.title() if character.isascii() and character.isalnum())


def _gather(files: Mapping[str, Path], folder: Path) -> None:
    """The pictures of a study under their opaque names in one folder."""
    folder.mkdir(parents=True)
    for name, path in files.items():
        shutil.copyfile(path, folder / name)
