"""`consentry study …`: studies in files, in and out, through the public API of a gateway that runs or is started."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.exchange.formats import Format
from gateway.running import settings, use

if TYPE_CHECKING:
    from gateway.demo import DemoGateway

study_app = typer.Typer(help="Clinical studies: import and export of their files.", no_args_is_help=True)

KEY = "study-import.key"
"""The import's key file, in the data folder."""
Url = Annotated[
    str | None, typer.Option(help="A running gateway; without it one is started on the data folder for the run.")
]
Rpc = Annotated[str | None, typer.Option(help="The chain's JSON-RPC to check against; without it the gateway's word.")]
JsonFile = Annotated[Path | None, typer.Option("--json", help="Write a machine-readable report here.")]
Config = Annotated[
    Path | None,
    typer.Option("--config", help="A TOML file of settings; variables override it.", envvar="CONSENTRY_CONFIG"),
]


@study_app.command("import")
def import_study(
    folder: Annotated[
        Path, typer.Argument(help="define.xml or ODM with its tables: .xpt, .json, .ndjson, .dsjc, .csv; .gz too.")
    ],
    title: Annotated[str | None, typer.Option(help="What the study is called, if not as its definition says.")] = None,
    strict: Annotated[bool, typer.Option(help="Refuse values that the definition does not allow.")] = False,
    key: Annotated[
        Path | None, typer.Option(help=f"The key file; without it {KEY} in the data folder, made if there is none.")
    ] = None,
    url: Url = None,
    registrar_key: Annotated[
        Path | None, typer.Option(help="The registrar's key file; without it registrar.key in the data folder.")
    ] = None,
    rpc: Rpc = None,
    json_file: JsonFile = None,
    config: Config = None,
) -> None:
    """Register a study from its files: its definition, tables, subjects with consents of their own, every value."""
    use(config)
    data = settings().data_dir
    from gateway.exchange.run import Import, run_import

    given = None if url is None else _registrar_key(registrar_key or data / "registrar.key")
    code = run_import(
        Import(folder=folder, key=_key(key, data), title=title, strict=strict),
        url=url,
        json_file=json_file,
        registrar_key=given,
        rpc_url=rpc,
        start_gateway=lambda: _own_gateway(data),
    )
    raise SystemExit(code)


@study_app.command("export")
def export_study(
    study: Annotated[str, typer.Argument(help="The study's id, as the import tells it.")],
    out: Annotated[Path, typer.Argument(metavar="DIR", help="The folder for the files.")],
    format: Annotated[Format, typer.Option(help="What the files are.")] = Format.DATASET_JSON,
    key: Annotated[
        Path | None, typer.Option(help=f"The key file of the import; without it {KEY} in the data folder.")
    ] = None,
    url: Url = None,
    rpc: Rpc = None,
    json_file: JsonFile = None,
    config: Config = None,
) -> None:
    """Write a study's tables, or all of it with audit trail, queries and signatures as one ODM document."""
    use(config)
    data = settings().data_dir
    from gateway.exchange.run import Export, run_export

    code = run_export(
        Export(study=study, format=format, out=out, key=_key(key, data)),
        url=url,
        json_file=json_file,
        rpc_url=rpc,
        start_gateway=lambda: _own_gateway(data),
    )
    raise SystemExit(code)


def _key(given: Path | None, data: Path) -> Path:
    if given is None:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
    return given or data / KEY


@contextlib.contextmanager
def _own_gateway(data: Path) -> "Iterator[DemoGateway]":
    """On the data folder, with its settings, for as long as the run takes."""
    from gateway.demo import DemoGateway
    from gateway.server import background_server

    with background_server(data, as_set=True) as (base, rpc_url):
        yield DemoGateway(url=base, rpc_url=rpc_url, registrar_key=_registrar_key(data / "registrar.key"))


def _registrar_key(path: Path) -> str:
    if not path.is_file():
        typer.echo(f"consentry: no registrar's key at {path}: name it with --registrar-key", err=True)
        raise SystemExit(1)
    return path.read_text().strip()
