"""What is read out of Dockerfiles: instructions, variables, commands, and what these install."""

from __future__ import annotations

import contextlib

import pytest
from container_files import Files, read
from examples import examples
from hypothesis import given
from hypothesis import strategies as st

from gpucheck.containers import dockerfile, images, lists
from gpucheck.containers.expansion import expand
from gpucheck.containers.reading import BadContainerFile, kind_of
from gpucheck.containers.shell import commands
from gpucheck.facts.containers import Image
from gpucheck.facts.gap import Gap


def image(text: str, files: dict[str, str] | None = None, **options: object) -> Image:
    return images.image(text, "Dockerfile", Files(files), **options)  # type: ignore[arg-type]


def asked(made: Image) -> list[str]:
    return [f"{one.name}{'' if isinstance(one.wanted, Gap) else one.wanted}" for one in made.packages]


def words(text: str) -> list[list[str]]:
    return [list(one.texts) for one in commands(text)]


def test_lines_are_joined_past_comments_and_empty_lines_and_keep_their_numbers() -> None:
    (one, *_) = dockerfile.instructions("RUN a && \\\n  # why\n\n  b \\\n  c\nRUN d\n")
    assert one.body.text.split() == ["a", "&&", "b", "c"]
    assert one.body.line(one.body.text.index("b")) == 4
    assert one.body.line(one.body.text.index("c")) == 5


def test_the_escape_directive_changes_what_joins_lines() -> None:
    text = "# escape=`\nFROM a\nRUN b `\n c\\\n"
    assert [one.keyword for one in dockerfile.instructions(text)] == ["FROM", "RUN"]
    assert dockerfile.instructions(text)[1].body.text.split() == ["b", "c\\"]


def test_a_directive_after_an_instruction_is_a_comment() -> None:
    assert dockerfile.escape_of(["FROM a", "# escape=`"]) == "\\"


def test_a_heredoc_holds_no_instructions_but_its_commands_are_read() -> None:
    made = image("FROM python:3.11\nRUN <<EOF\nFROM evil\npip install tensorflow\nEOF\nRUN pip install b\n")
    assert asked(made) == ["tensorflow", "b"]
    assert [one.source for one in made.packages] == ["Dockerfile:4", "Dockerfile:6"]
    assert made.reference == "python:3.11"


@pytest.mark.parametrize("opening", ["RUN <<-'EOF'", 'RUN <<"EOF"', "RUN bash <<EOF"])
def test_a_heredoc_may_be_quoted_indented_or_given_to_a_shell(opening: str) -> None:
    assert asked(image(f"FROM a\n{opening}\n\tpip install x\n{chr(9) if '-' in opening else ''}EOF\n")) == ["x"]


def test_a_heredoc_for_another_program_is_data() -> None:
    assert asked(image("FROM a\nRUN cat <<EOF > x.sh\npip install x\nEOF\nRUN pip install y\n")) == ["y"]


def test_a_heredoc_without_end_does_not_swallow_the_file() -> None:
    assert asked(image("FROM a\nRUN cat <<EOF\nRUN pip install x\n")) == ["x"]


def test_exec_form_and_shell_form_are_both_read() -> None:
    assert asked(
        image('FROM a\nRUN ["pip", "install", "x"]\nRUN ["/bin/sh", "-c", "pip install y && pip install z"]')
    ) == [
        "x",
        "y",
        "z",
    ]


def test_onbuild_says_nothing_of_this_image() -> None:
    assert asked(image("FROM a\nONBUILD RUN pip install x\n")) == []


def test_mounts_and_other_flags_are_no_part_of_the_command() -> None:
    assert asked(image("FROM a\nRUN --mount=type=cache,target=/x --network=host pip install y\n")) == ["y"]


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("$A", "1"),
        ("${A}x", "1x"),
        ("${B:-2}", "2"),
        ("${E:-2}", "2"),
        ("${E-2}", ""),
        ("${A:+3}", "3"),
        ("${B:+3}", ""),
        ("${B:-${A}4}", "14"),
        ("\\$A", "$A"),
        ("${U}", "${U}"),
        ("${A/./-}", "${A/./-}"),
        ("$", "$"),
        ("$5", "$5"),
        ("${A", "1"),
    ],
)
def test_variables_are_replaced_as_docker_does(text: str, result: str) -> None:
    assert expand(text, {"A": "1", "E": "", "U": None}).text == result


@pytest.mark.slow
@given(st.text(alphabet="$A{}:-+?\\ x", max_size=30))
@examples(200)
def test_any_text_can_be_expanded(text: str) -> None:
    expand(text, {"A": "1", "x": None}, absent=None)


@pytest.mark.slow
@given(st.text(alphabet="FROM RUNpip\\\n<>EF'\"#;&|$(){}[]-=`\t a", max_size=60))
@examples(200)
def test_any_text_is_read_as_a_dockerfile_or_refused(text: str) -> None:
    with contextlib.suppress(BadContainerFile):
        read("FROM a\n" + text)


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("a b && c", [["a", "b"], ["c"]]),
        ("a 'b c' \"d e\"", [["a", "b c", "d e"]]),
        ("a 2>&1 | b", [["a", "2>&1"], ["b"]]),
        ("a # b\nc", [["a"], ["c"]]),
        ("(a; b)", [["a"], ["b"]]),
        ("a $(b c) d", [["a", "$(b c)", "d"]]),
        ("a \\\n b", [["a", "b"]]),
    ],
)
def test_commands_are_told_apart_as_a_shell_does(text: str, result: list[list[str]]) -> None:
    assert words(text) == result


def test_what_stands_in_a_branch_or_behind_or_is_not_certain() -> None:
    made = image("FROM a\nRUN if x; then pip install b; else pip install c; fi; pip install d || pip install e\n")
    assert [(one.name, one.certain) for one in made.packages] == [
        ("b", False),
        ("c", False),
        ("d", True),
        ("e", False),
    ]


@pytest.mark.parametrize(
    ("command", "result"),
    [
        ("pip install --no-cache-dir -i https://host/simple tensorflow==2.15.1", ["tensorflow==2.15.1"]),
        ("python3.11 -m pip install 'tensorflow[and-cuda]>=2.16,<2.18'", ["tensorflow<2.18,>=2.16"]),
        ("pip3 --no-cache-dir install -U pip tensorflow", ["pip", "tensorflow"]),
        ("uv pip install --system --python 3.12 tensorflow", ["tensorflow"]),
        ("uv add tensorflow", ["tensorflow"]),
        ("poetry run pip install tensorflow", ["tensorflow"]),
        ("conda run -n base pip install tensorflow", ["tensorflow"]),
        (
            "conda install -y -n x -c conda-forge tensorflow=2.15=cuda* python=3.11",
            ["tensorflow==2.15.*", "python==3.11.*"],
        ),
        ("micromamba create -n x conda-forge::tensorflow-gpu", ["tensorflow-gpu"]),
        ("apt-get install -y --no-install-recommends libcudnn8=8.1.0.77-1+cuda11.2 curl", ["libcudnn8==8.1.0.77"]),
        ("sudo -E apt install -y cuda-toolkit-12-2", ["cuda-toolkit-12-2"]),
        ("PIP_X=1 pip install tensorflow", ["tensorflow"]),
        ("pip install https://host/tensorflow_gpu-1.12.0-cp36-cp36m-manylinux1_x86_64.whl", ["tensorflow-gpu==1.12.0"]),
        ("pip install tensorflow ; sys_platform", ["tensorflow"]),
        ("gpucheck install 'tensorflow[and-cuda]' --env /opt/x --yes", ["tensorflow"]),
        ("pipx install x", []),
        ("echo pip install x", []),
    ],
)
def test_installers_are_understood(command: str, result: list[str]) -> None:
    assert asked(image(f"FROM a\nRUN {command}\n")) == result


def test_pip_uninstall_takes_away() -> None:
    assert asked(image("FROM a\nRUN pip install x y\nRUN pip uninstall -y x\n")) == ["y"]


def test_requirements_beside_the_dockerfile_are_read_with_their_lines() -> None:
    files = {
        "requirements.txt": "# all\n-r more.txt\nnumpy\ntensorflow==2.15.1 \\\n    --hash=sha256:ab\n"
        "b; sys_platform == 'win32'\n",
        "more.txt": "-i https://host\nkeras>=3\n",
    }
    made = image("FROM a\nCOPY . .\nRUN pip install -r requirements.txt\n", files)
    assert [(one.name, one.source) for one in made.packages] == [
        ("keras", "more.txt:2"),
        ("numpy", "requirements.txt:3"),
        ("tensorflow", "requirements.txt:4"),
    ]


@pytest.mark.parametrize(
    ("lines", "path"),
    [
        ("COPY requirements.txt /tmp/", "/tmp/requirements.txt"),
        ("COPY requirements.txt /tmp/r.txt", "/tmp/r.txt"),
        ("COPY . /app\nWORKDIR /app", "requirements.txt"),
        ("WORKDIR /app\nCOPY . .", "/app/requirements.txt"),
        ("WORKDIR /app\nCOPY requirements*.txt ./", "requirements.txt"),
        ('WORKDIR /a\nWORKDIR b\nADD ["requirements.txt", "."]', "/a/b/requirements.txt"),
    ],
)
def test_a_list_is_found_where_the_dockerfile_has_put_it(lines: str, path: str) -> None:
    assert asked(image(f"FROM a\n{lines}\nRUN pip install -r {path}\n", {"requirements.txt": "x\n"})) == ["x"]


def test_cd_leads_to_another_folder_maybe_one_that_was_downloaded() -> None:
    files = {"requirements.txt": "x\n", "sub/requirements.txt": "y\n"}
    run = "RUN cd {} && pip install -r requirements.txt"
    assert asked(image(f"FROM a\nCOPY . /app\n{run.format('/app/sub')}\n", files)) == ["y"]
    cloned = image(f"FROM a\nCOPY . /app\nRUN git clone https://host/z\n{run.format('z')}\n", files)
    assert (asked(cloned), len(cloned.open)) == ([], 1)


def test_a_list_of_a_mounted_context_is_found() -> None:
    run = "RUN --mount=type=bind,source=conf,target=/c pip install -r /c/r.txt"
    assert asked(image(f"FROM a\n{run}\n", {"conf/r.txt": "x\n"})) == ["x"]


def test_a_list_that_nobody_put_there_is_not_mistaken_for_another_of_its_name() -> None:
    made = image("FROM a\nRUN pip install -r /opt/base/requirements.txt\n", {"requirements.txt": "x\n"})
    assert (asked(made), len(made.open)) == ([], 1)


def test_requirements_that_are_not_there_leave_things_open() -> None:
    (said,) = image("FROM a\nRUN pip install -r requirements.txt\n").open
    assert said == ("requirements.txt is not beside the file, or may be another one", "Dockerfile:2")


def test_requirements_that_name_themselves_end() -> None:
    assert image("FROM a\nRUN pip install -r r.txt\n", {"r.txt": "-r r.txt\nx\n"}).packages


def test_pyproject_is_read_in_both_forms() -> None:
    one = '[project]\ndependencies = ["tensorflow>=2.16"]\n[project.optional-dependencies]\ngpu = ["b"]\n'
    assert asked(image("FROM a\nRUN pip install .[gpu]\n", {"pyproject.toml": one})) == ["tensorflow>=2.16", "b"]
    two = '[tool.poetry.dependencies]\npython = "^3.9"\ntensorflow = "^2.15"\n'
    assert asked(image("FROM a\nRUN poetry install\n", {"pyproject.toml": two})) == ["tensorflow>=2.15,<3"]


def test_an_environment_file_of_conda_is_read() -> None:
    text = "name: x\ndependencies:\n  - python=3.10\n  - pip:\n    - tensorflow==2.15.1\n"
    made = image("FROM a\nRUN conda env create -f environment.yml\n", {"environment.yml": text})
    assert [(one.tool, one.name, one.source) for one in made.packages] == [
        ("conda", "python", "environment.yml:3"),
        ("pip", "tensorflow", "environment.yml:5"),
    ]


def test_a_script_of_the_build_context_is_read_like_a_run() -> None:
    made = image("FROM a\nRUN ./setup.sh\n", {"setup.sh": "#!/bin/sh\npip install x\n"})
    assert [(one.name, one.source) for one in made.packages] == [("x", "setup.sh:2")]
    assert [one.text for one in image("FROM a\nRUN sh setup.sh\n").open] == [
        "runs setup.sh, which is not beside the file"
    ]


def test_a_script_that_was_downloaded_is_no_part_of_the_context() -> None:
    assert not image("FROM a\nRUN wget https://host/x.sh && bash x.sh\n").open


def test_arguments_before_from_have_their_defaults_and_are_told() -> None:
    made = image("ARG CUDA=12.2.2\nFROM nvidia/cuda:${CUDA}-base\n")
    assert (made.reference, made.note) == ("nvidia/cuda:12.2.2-base", "by the default of ARG CUDA of line 1")


def test_an_argument_without_default_is_not_known() -> None:
    reference = image("ARG BASE\nFROM ${BASE}\n").reference
    assert isinstance(reference, Gap)
    assert "BASE" in reference.reason


def test_an_argument_given_wins_over_its_default() -> None:
    assert image("ARG B=a\nFROM $B\n", arguments={"B": "c"}).reference == "c"


def test_only_the_last_stage_counts_and_what_it_stands_on() -> None:
    one, two = "FROM x AS one\nENV CUDA_HOME=/1\nRUN pip install a\n", "FROM y AS two\nRUN pip install b\n"
    text = f"{one}{two}FROM one\nRUN pip install c\n"
    made = image(text)
    assert (made.reference, asked(made)) == ("x", ["a", "c"])
    assert made.setting("CUDA_HOME") is not None
    assert asked(image(text, target="two")) == ["b"]


def test_what_pip_installed_in_a_stage_comes_along_with_its_environment() -> None:
    text = "FROM python:3.11 AS b\nRUN pip install tensorflow==2.15.1\nFROM x\nCOPY --from=b {} /y\n"
    assert asked(image(text.format("/opt/venv"))) == ["tensorflow==2.15.1"]
    other = image(text.format("/app/model"))
    assert (asked(other), len(other.open)) == ([], 1)


def test_stages_that_copy_from_all_earlier_ones_are_gathered_once_each() -> None:
    lines = ["FROM a AS s0", "RUN pip install x"]
    for number in range(1, 40):
        lines += [f"FROM a AS s{number}", *(f"COPY --from=s{each} /opt/venv /v" for each in range(number))]
    assert asked(image("\n".join(lines), target="s3"))
    with pytest.raises(images.NoImage):
        image("\n".join(["FROM a"] * 300))


def test_variables_of_the_environment_reach_commands_and_secrets_are_not_kept() -> None:
    made = image(
        "FROM a\nENV V=2.15.1 API_TOKEN=geheim TF_X\nENV CUDA_HOME /usr/local/cuda\nRUN pip install tensorflow==$V\n"
    )
    assert asked(made) == ["tensorflow==2.15.1"]
    assert [(one.name, one.value) for one in made.settings] == [("CUDA_HOME", "/usr/local/cuda")]


def test_a_version_that_is_not_known_is_a_gap() -> None:
    (one,) = image("FROM a\nARG V\nRUN pip install tensorflow==$V\n").packages
    assert one.name == "tensorflow"
    assert isinstance(one.wanted, Gap)


@pytest.mark.parametrize(
    ("path", "text", "kind"),
    [
        ("Dockerfile", "", "dockerfile"),
        ("a/gpu.Dockerfile", "", "dockerfile"),
        ("Containerfile", "", "dockerfile"),
        ("compose.yaml", "", "compose"),
        ("-", "services:\n  a:\n", "compose"),
        ("-", "FROM a\n", "dockerfile"),
        ("x", "version: '3'\nservices:\n", "compose"),
    ],
)
def test_files_are_told_apart_by_name_then_by_content(path: str, text: str, kind: str) -> None:
    assert kind_of(path, text) == kind


def test_a_word_of_requirements_that_is_no_requirement_is_nothing() -> None:
    assert lists.requirement("..//", "x:1", "") is None
    assert lists.requirement("git+https://host/x.git", "x:1", "") is None


HOSTILE = {
    "heredocs": "FROM a\n" + "RUN cat <<A <<B\n" * 30_000,
    "one long command": "FROM a\nRUN " + "if " * 200_000,
    "assignments": "FROM a\nRUN " + "A=1 " * 200_000,
    "continued lines": "FROM a\nRUN a \\\n" + "&& pip install b \\\n" * 20_000,
    "variables": "FROM a\n" + "".join(f"ENV A{at + 1}=$A{at}$A{at}\n" for at in range(100)),
    "brackets": "FROM a\nRUN pip install 'x; " + "(" * 100_000 + "'\n" + "RUN " + "${" * 100_000,
    "stages": "".join(f"FROM s{at} AS s{at + 1}\n" for at in range(190)),
}


@pytest.mark.slow
@pytest.mark.parametrize("text", HOSTILE.values(), ids=list(HOSTILE))
def test_a_hostile_file_is_read_in_a_time_that_grows_with_its_length(text: str) -> None:
    assert image(text).source


@pytest.mark.slow
def test_lists_and_scripts_that_name_each_other_often_are_read_once() -> None:
    files = {"r.txt": "-r r.txt\n" * 2000 + "x\n", "a.sh": "./a.sh\n./b.sh\n" * 200, "b.sh": "./a.sh\n" * 200}
    assert asked(image("FROM a\nRUN pip install -r r.txt\nRUN ./a.sh\n", files)) == ["x"]
