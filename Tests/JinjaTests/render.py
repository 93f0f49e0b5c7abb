"""What `jinja2` makes of each template, with the settings of transformers: writes Expected.json.

    python Tests/JinjaTests/render.py

Tests/Interop/test_jinja.py holds the file against the installed version.
"""

import json
from pathlib import Path

from jinja2.exceptions import TemplateError
from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

FOLDER = Path(__file__).resolve().parent


def raise_exception(message):
    raise TemplateError(message)


def tojson(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(
        value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def render(source, variables):
    """The text, or what the template refuses with."""
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols])
    environment.filters["tojson"] = tojson
    environment.globals["raise_exception"] = raise_exception
    environment.globals["strftime_now"] = lambda format: "21 Nov 2026"
    try:
        return {"text": environment.from_string(source).render(**variables)}
    except TemplateError as error:
        return {"raised": str(error)}


def expected():
    conversations = json.loads((FOLDER / "Conversations.json").read_text(encoding="utf-8"))
    return {
        template.name: {
            name: render(template.read_text(encoding="utf-8"), variables)
            for name, variables in conversations.items()}
        for template in sorted((FOLDER / "Templates").glob("*.jinja"))}


if __name__ == "__main__":
    text = json.dumps(expected(), ensure_ascii=False, indent=1)
    (FOLDER / "Expected.json").write_text(text + "\n", encoding="utf-8")
