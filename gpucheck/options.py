"""The commands as typer sees them: options, their help, and nothing of what they do (commands/)."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Any, Optional

import typer

from gpucheck.commands import arguments
from gpucheck.output import write

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    help="Does TensorFlow use the GPU here? If not: the cause, the fix, and what fits.",
    epilog="Exit codes: 0 fine, 1 an error was found, 2 wrong usage, 3 could not tell.",
)


class Format(str, Enum):
    """Formats of `doctor`."""

    TERMINAL = "terminal"
    JSON = "json"
    MARKDOWN = "markdown"
    JUNIT = "junit"
    SARIF = "sarif"
    GITHUB = "github"
    PROMETHEUS = "prometheus"
    HTML = "html"


Python = Annotated[
    Optional[str],
    typer.Option(metavar="PATH", help="The Python to examine: default the active environment's, else python3 on PATH."),
]
Output = Annotated[Optional[str], typer.Option(metavar="FILE", help="Write there instead of to standard output.")]
Deep = Annotated[bool, typer.Option("--deep", help="Import TensorFlow in a child and compute on each GPU.")]
Timeout = Annotated[
    Optional[float],
    typer.Option(metavar="SECONDS", help="Time for everything together: default 10, with --deep 120."),
]


@app.callback(invoke_without_command=True)
def gpucheck(version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False) -> None:
    if version:
        from gpucheck import __version__

        write(f"gpucheck {__version__}\n", None)
        raise typer.Exit(0)


# Extra arguments are the second and later values of `--snapshot FILE ...` and `--ignore NAME ...`.
@app.command(context_settings={"allow_extra_args": True})
def doctor(
    context: typer.Context,
    python: Python = None,
    format: Annotated[Format, typer.Option(help="How to tell it.")] = Format.TERMINAL,
    output: Output = None,
    deep: Deep = False,
    verbose: Annotated[bool, typer.Option("--verbose", help="Every copy, reading, probe and rule.")] = False,
    snapshot: Annotated[
        Optional[list[str]],
        typer.Option(metavar="FILE ...", help="Judge snapshots or recorded machines instead of this machine."),
    ] = None,
    log: Annotated[
        Optional[list[str]],
        typer.Option(metavar="FILE|- ...", help="Judge what a program printed instead of this machine."),
    ] = None,
    here: Annotated[bool, typer.Option("--here", help="With --log, --dockerfile: look at this machine, too.")] = False,
    timeout: Timeout = None,
    ignore: Annotated[Optional[list[str]], typer.Option(metavar="NAME ...", help="Leave these rules out.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="A warning makes the exit code 1, too.")] = False,
    list_rules: Annotated[bool, typer.Option("--list-rules", help="List the rules and exit.")] = False,
    fix_paths: Annotated[bool, typer.Option("--fix-paths", help="Show what change of paths would cure it.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="With --fix-paths: make that change.")] = False,
    undo: Annotated[bool, typer.Option("--undo", help="With --fix-paths: take it back.")] = False,
    simulate: Annotated[
        Optional[str],
        typer.Option(metavar="NAME", help="Rehearse on a recorded machine with that finding: try your gate."),
    ] = None,
    expect: Annotated[
        Optional[str], typer.Option(metavar="FILE", help="What must be there, TOML; else [tool.gpucheck] of a project.")
    ] = None,
    bench: Annotated[
        Optional[str],
        typer.Option(metavar="FILE", help="With --format html: show a result that bench --save wrote, too."),
    ] = None,
    dockerfile: Annotated[
        Optional[list[str]],
        typer.Option(metavar="FILE|- ...", help="Judge Dockerfiles and compose files instead of this machine."),
    ] = None,
) -> None:
    """Tell what this machine has, what is wrong, and how to fix it."""
    given = (snapshot or [], ignore or [], log or [], dockerfile or [])
    snapshots, ignored, logs, dockerfiles = arguments.sorted_out(context.args, *given)
    from gpucheck.commands import doctor

    words = doctor.Words(
        python,
        format.value,
        output,
        deep,
        verbose,
        snapshots,
        timeout,
        ignored,
        strict,
        list_rules,
        logs,
        here,
        fix_paths,
        yes,
        undo,
        simulate,
        expect,
        bench,
        dockerfiles,
    )
    raise typer.Exit(doctor.doctor(words))


@app.command()
def snapshot(
    output: Output = None,
    python: Python = None,
    raw: Annotated[bool, typer.Option("--raw", help="Record the machine's answers, to be replayed elsewhere.")] = False,
    timeout: Timeout = None,
    deep: Deep = False,
) -> None:
    """Write the facts alone, as JSON, to be diagnosed elsewhere.

    Elsewhere: gpucheck doctor --snapshot FILE
    """
    from gpucheck.commands import snapshot

    raise typer.Exit(snapshot.snapshot(output, python, raw, timeout, deep))


class SmokeFormat(str, Enum):
    """Formats of `smoke`."""

    TERMINAL = "terminal"
    JSON = "json"
    JUNIT = "junit"


class ExitCodes(str, Enum):
    """What exit codes mean."""

    GPUCHECK = "gpucheck"
    NAGIOS = "nagios"


@app.command(
    context_settings={"allow_extra_args": True}, short_help="Does the GPU work? One exit code for CI or a scheduler."
)
def smoke(
    context: typer.Context,
    python: Python = None,
    timeout: Annotated[
        Optional[float], typer.Option(metavar="SECONDS", help="Time for everything together: default 300.")
    ] = None,
    fail_under: Annotated[
        Optional[float], typer.Option(metavar="SPEEDUP", help="Exit code 1 if the GPU is less times faster.")
    ] = None,
    no_bench: Annotated[bool, typer.Option("--no-bench", help="Without the speed test.")] = False,
    expect: Annotated[
        Optional[str], typer.Option(metavar="FILE", help="What must be there, TOML; else [tool.gpucheck] of a project.")
    ] = None,
    ignore: Annotated[Optional[list[str]], typer.Option(metavar="NAME ...", help="Leave these rules out.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="A warning makes the exit code 1, too.")] = False,
    simulate: Annotated[
        Optional[str], typer.Option(metavar="NAME", help="Rehearse on a recorded machine: try your gate.")
    ] = None,
    format: Annotated[SmokeFormat, typer.Option(help="How to tell it.")] = SmokeFormat.TERMINAL,
    output: Annotated[
        Optional[str], typer.Option(metavar="FILE", help="Write JSON or JUnit there, and a summary to standard output.")
    ] = None,
    exit_codes: Annotated[
        ExitCodes, typer.Option(help="nagios: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN, and a plugin's line.")
    ] = ExitCodes.GPUCHECK,
    verbose: Annotated[bool, typer.Option("--verbose", help="With doctor's whole report.")] = False,
) -> None:
    """Does the GPU work? For a CI job or a scheduler: doctor, an operation on each GPU, a short speed test.

    One time for all of it, one exit code: 0 it works, 1 it does not (or there is none), 3 could not tell.
    """
    from gpucheck.commands import smoke

    _, ignored, _, _ = arguments.sorted_out(context.args, [], ignore or [], [], [])
    words = smoke.Words(
        *(python, timeout, arguments.positive("--fail-under", fail_under), no_bench, expect, tuple(ignored), strict),
        *(simulate, format.value, output, exit_codes is ExitCodes.NAGIOS, verbose),
    )
    raise typer.Exit(smoke.smoke(words))


class BenchFormat(str, Enum):
    """Formats of `bench`."""

    TERMINAL = "terminal"
    JSON = "json"
    MARKDOWN = "markdown"
    HTML = "html"


class Workload(str, Enum):
    """Networks to train."""

    MNIST_CNN = "mnist-cnn"
    KERAS_CNN = "keras-cnn"
    MLP = "mlp"
    VIT = "vit"


class Backend(str, Enum):
    """Frameworks to train with."""

    TENSORFLOW = "tensorflow"
    JAX = "jax"
    TORCH = "torch"


class Precision(str, Enum):
    """Keras' names of its policies."""

    FLOAT32 = "float32"
    FLOAT16 = "mixed_float16"
    BFLOAT16 = "mixed_bfloat16"


class Jit(str, Enum):
    """Compile the step or not."""

    ON = "on"
    OFF = "off"


class Input(str, Enum):
    """How images reach the step."""

    RESIDENT = "resident"
    HOST = "host"
    FIT = "fit"


class Optimizer(str, Enum):
    """How weights are updated."""

    SGD = "sgd"
    MOMENTUM = "momentum"
    NESTEROV = "nesterov"
    ADAGRAD = "adagrad"
    RMSPROP = "rmsprop"
    ADAM = "adam"


def _option(metavar: Optional[str], help: str) -> Any:
    return typer.Option(metavar=metavar, help=help)


@app.command()
def bench(
    python: Annotated[Optional[str], _option("PATH", "The Python to measure with: default as in doctor.")] = None,
    devices: Annotated[Optional[str], _option("cpu,gpu:0|all", "Default: the CPU and the first GPU.")] = None,
    workload: Annotated[Workload, _option(None, "The network to train.")] = Workload.MNIST_CNN,
    backend: Annotated[Optional[Backend], _option(None, "Default: Keras' own choice, else what is installed.")] = None,
    batch_size: Annotated[Optional[str], _option("64[,256,1024]", "Images a step; several: a sweep.")] = None,
    time: Annotated[float, _option("SECONDS", "Of measuring, per batch size.")] = 30.0,
    precision: Annotated[Precision, _option(None, "On every device.")] = Precision.FLOAT32,
    jit: Annotated[Optional[Jit], _option(None, "XLA or torch.compile, on all. Default: off; JAX: on.")] = None,
    input: Annotated[Input, _option(None, "On the device, fed each step, or by Keras' fit.")] = Input.RESIDENT,
    optimizer: Annotated[Optional[Optimizer], _option(None, "Default: the network's own.")] = None,
    data: Annotated[str, _option("sample|full|synthetic|PATH", "MNIST; full may download it.")] = "sample",
    seed_line: Annotated[bool, typer.Option("--seed-line", help="What the 2017 script would have printed.")] = False,
    format: Annotated[BenchFormat, typer.Option(help="How to tell it.")] = BenchFormat.TERMINAL,
    output: Output = None,
    plot: Annotated[Optional[str], _option("FILE.png|.svg", "Pictures (needs gpucheck-cli[plot]).")] = None,
    save: Annotated[Optional[str], _option("FILE", "Keep the result, to compare with later.")] = None,
    compare: Annotated[Optional[str], _option("FILE", "Compare with a saved result.")] = None,
    compare_unlike: Annotated[
        bool, typer.Option("--compare-unlike", help="Compare even with another environment's.")
    ] = False,
    fail_under: Annotated[Optional[float], _option("SPEEDUP", "Exit code 1 if the GPU is less times faster.")] = None,
    fail_slower: Annotated[Optional[float], _option("PERCENT", "Exit code 1 if slower than in --compare.")] = None,
    load: Annotated[Optional[str], _option("FILE", "Show a saved result instead of measuring.")] = None,
    simulate: Annotated[
        Optional[str], _option("speedup=9.2,noise=0.02,…", "A second CPU worker poses as the GPU: try your gate.")
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", help="Every setting, block and reason.")] = False,
) -> None:
    """Time a training step of an MNIST CNN on the CPU and on the GPU."""
    from gpucheck.commands import bench

    words = bench.Words(
        python,
        devices,
        workload.value,
        backend.value if backend else None,
        arguments.batch_sizes(batch_size),
        arguments.measuring_time(time),
        precision.value,
        None if jit is None else jit is Jit.ON,
        input.value,
        optimizer.value if optimizer else None,
        data,
        seed_line,
        format.value,
        output,
        plot,
        save,
        compare,
        compare_unlike,
        arguments.positive("--fail-under", fail_under),
        arguments.positive("--fail-slower", fail_slower),
        load,
        simulate,
        verbose,
    )
    raise typer.Exit(bench.bench(words))


class InstallFormat(str, Enum):
    """Formats of `install`."""

    TERMINAL = "terminal"
    JSON = "json"


_Env = Annotated[Optional[str], _option("PATH", "The environment to make or to change: default ./.venv.")]
_Names = Annotated[Optional[list[str]], typer.Argument(metavar="[tensorflow[==VERSION]]", show_default=False)]
_Offline = Annotated[bool, typer.Option("--offline", help="Ask no index: what is cached, or a --wheelhouse.")]
_Urls = Annotated[Optional[list[str]], _option("URL", "Instead of pip's indexes; may be given again.")]
_With = Annotated[Optional[list[str]], typer.Option("--with", metavar="jupyter,keras-hub,…", help="Also these.")]
_InstallPython = Annotated[
    Optional[str], _option("PATH", "Change this Python's environment, or make a new one from it.")
]
_Cpu = Annotated[bool, typer.Option("--cpu", help="Without CUDA, GPU or not.")]
_Snapshot = Annotated[Optional[str], _option("FILE", "Plan for that machine; nothing is installed.")]
_FromLock = Annotated[Optional[str], _option("FILE", "Exactly what that pylock.toml says.")]
_Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
_InstallFormat = Annotated[InstallFormat, typer.Option(help="How to tell it.")]


@app.command()
def install(
    names: _Names = None,
    env: _Env = None,
    python: _InstallPython = None,
    cpu: _Cpu = False,
    extras: _With = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan, change nothing.")] = False,
    explain: Annotated[Optional[str], _option("VERSION", "Why this release, or why not.")] = None,
    format: _InstallFormat = InstallFormat.TERMINAL,
    output: Output = None,
    lock: Annotated[Optional[str], _option("FILE", "Write the plan as pylock.toml, change nothing.")] = None,
    from_lock: _FromLock = None,
    wheelhouse: Annotated[Optional[str], _option("DIR", "Wheels to install from.")] = None,
    offline: _Offline = False,
    index_url: _Urls = None,
    snapshot: _Snapshot = None,
    yes: _Yes = False,
    verbose: Annotated[bool, typer.Option("--verbose", help="Every release, and every check.")] = False,
) -> None:
    """Install a TensorFlow that fits this machine, and prove it."""
    from gpucheck.commands import install
    from gpucheck.commands.dialogue import Words

    words = Words(
        names=tuple(names or ()),
        env=env,
        python=python,
        cpu=cpu,
        extras=arguments.commas(extras),
        dry_run=dry_run,
        explain=explain,
        format=format.value,
        output=output,
        lock=lock,
        from_lock=from_lock,
        wheelhouse=wheelhouse,
        offline=offline,
        index_urls=tuple(index_url or ()),
        snapshot=snapshot,
        yes=yes,
        verbose=verbose,
    )
    raise typer.Exit(install.install(words))


@app.command()
def download(
    wheelhouse: Annotated[str, _option("DIR", "Where the wheels and their pylock.toml go.")],
    names: _Names = None,
    python: _InstallPython = None,
    cpu: _Cpu = False,
    extras: _With = None,
    format: _InstallFormat = InstallFormat.TERMINAL,
    from_lock: _FromLock = None,
    index_url: _Urls = None,
    snapshot: _Snapshot = None,
) -> None:
    """Fetch what install would, for a machine without a network.

    There: gpucheck install --from-lock DIR/pylock.toml --wheelhouse DIR
    """
    from gpucheck.commands import install
    from gpucheck.commands.dialogue import Words

    words = Words(
        names=tuple(names or ()),
        python=python,
        cpu=cpu,
        extras=arguments.commas(extras),
        format=format.value,
        from_lock=from_lock,
        wheelhouse=wheelhouse,
        index_urls=tuple(index_url or ()),
        snapshot=snapshot,
    )
    raise typer.Exit(install.download(words))


@app.command()
def repair(
    env: _Env = None,
    wheelhouse: Annotated[Optional[str], _option("DIR", "Wheels to restore from.")] = None,
    offline: _Offline = False,
    index_url: _Urls = None,
    thorough: Annotated[bool, typer.Option("--thorough", help="Compare every file's sha256, not its size.")] = False,
) -> None:
    """Restore packages whose files are missing or changed."""
    from gpucheck.commands import restore
    from gpucheck.commands.dialogue import Words

    words = Words(env=env, wheelhouse=wheelhouse, offline=offline, index_urls=tuple(index_url or ()))
    raise typer.Exit(restore.repair(words, thorough))


@app.command()
def undo(env: _Env = None, yes: _Yes = False) -> None:
    """Go back to what an environment was before."""
    from gpucheck.commands import restore
    from gpucheck.commands.dialogue import Words

    raise typer.Exit(restore.undo(Words(env=env, yes=yes)))


@app.command(short_help="Show what a finding means, or a line of a log.")
def explain(
    words: Annotated[list[str], typer.Argument(metavar="NAME|LINE", help="A finding's name, or a line of a log.")],
) -> None:
    """Show what a finding means and how to fix it, or what a pasted line of a log says."""
    from gpucheck.commands import explain

    raise typer.Exit(explain.explain(" ".join(words)))


@app.command(short_help="Pass a program's output through, and explain it.")
def watch(
    fail: Annotated[bool, typer.Option("--fail", help="Exit code 1 if a cause was seen that is an error.")] = False,
) -> None:
    """Pass a program's output through, unchanged, and explain it on standard error.

    some-training 2>&1 | gpucheck watch
    """
    from gpucheck.commands import watch

    raise typer.Exit(watch.watch(fail))


class FleetFormat(str, Enum):
    """Formats of `fleet`."""

    TERMINAL = "terminal"
    JSON = "json"
    HTML = "html"
    MARKDOWN = "markdown"
    JUNIT = "junit"
    SARIF = "sarif"
    PROMETHEUS = "prometheus"


@app.command()
def fleet(
    files: Annotated[Optional[list[str]], typer.Argument(metavar="[SNAPSHOT…|DIR]", show_default=False)] = None,
    dask: Annotated[Optional[str], _option("ADDRESS", "Ask the workers of a Dask scheduler, one a host.")] = None,
    ssh: Annotated[Optional[str], _option("gpu[01-08],…|@FILE", "Ask these hosts, by SSH and Dask.")] = None,
    slurm: Annotated[Optional[str], _option("nodes=8,partition=…", "Ask nodes that Slurm gives, by Dask.")] = None,
    python: Annotated[Optional[str], _option("PATH", "The Python there: with Dask, to examine; else to start.")] = None,
    deep: Deep = False,
    timeout: Timeout = None,
    bench: Annotated[Optional[float], _option("SECONDS", "Also time a training step on each of their GPUs.")] = None,
    every_worker: Annotated[bool, typer.Option("--every-worker", help="Ask each worker of a host.")] = False,
    expect: Annotated[Optional[str], _option("FILE", "What each machine must have, TOML.")] = None,
    save: Annotated[Optional[str], _option("DIR", "Keep the answers as files.")] = None,
    format: Annotated[FleetFormat, typer.Option(help="How to tell it.")] = FleetFormat.TERMINAL,
    output: Output = None,
    ignore: Annotated[Optional[list[str]], _option("NAME", "Leave this rule out; may be given again.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="A warning makes the exit code 1, too.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", help="Every state, form and name.")] = False,
) -> None:
    """Judge many machines, and tell what differs between them.

    From files that anything has collected (gpucheck snapshot on each), or asked through Dask.
    """
    from gpucheck.commands import fleet

    limit = arguments.seconds(timeout, deep)
    words = fleet.Words(
        tuple(files or ()),
        dask,
        ssh,
        slurm,
        python,
        deep,
        limit,
        every_worker,
        save,
        format.value,
        output,
        tuple(ignore or ()),
        strict,
        verbose,
        None if bench is None else arguments.measuring_time(bench, "--bench"),
        expect,
    )
    raise typer.Exit(fleet.fleet(words))


class DiffFormat(str, Enum):
    """Formats of `diff`."""

    TERMINAL = "terminal"
    JSON = "json"
    MARKDOWN = "markdown"
    HTML = "html"


@app.command(short_help="Tell what changed since it worked, and what that explains.")
def diff(
    before: Annotated[str, typer.Argument(metavar="BEFORE", help="A snapshot, report or recorded machine.")],
    now: Annotated[
        Optional[str], typer.Argument(metavar="[NOW]", help="Another; default: this machine.", show_default=False)
    ] = None,
    python: Python = None,
    deep: Deep = False,
    timeout: Timeout = None,
    format: Annotated[DiffFormat, typer.Option(help="How to tell it.")] = DiffFormat.TERMINAL,
    output: Output = None,
    strict: Annotated[bool, typer.Option("--strict", help="A new warning makes the exit code 1, too.")] = False,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="So does any difference.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "--all", help="Every change, small and volatile ones.")] = False,
) -> None:
    """Tell what changed since it worked, and which change explains what is new.

    gpucheck snapshot --output good.json, and later: gpucheck diff good.json
    """
    from gpucheck.commands import diff

    words = diff.Words(before, now, python, deep, timeout, format.value, output, strict, exit_code, verbose)
    raise typer.Exit(diff.diff(words))
