"""HTML is made in one way, which escapes what is no HTML."""

import ast

import numpy as np
import pytest
from repository import ROOT

from fgseg_tf.report import dataset_statistics, evaluation_report, figures
from fgseg_tf.report.charts import draw_dot
from fgseg_tf.report.html import Html, html, join, render_page, render_section
from fgseg_tf.report.tables import render_table

EVIL = "x\"><img src=q onerror=alert(1)>'&"
SAFE = "x&quot;&gt;&lt;img src=q onerror=alert(1)&gt;&#x27;&amp;"


def test_what_is_no_html_is_escaped_wherever_it_is_put():
    assert html("<b>{}</b>", EVIL) == f"<b>{SAFE}</b>"
    assert html("<b>{}</b>", [EVIL, html("<i>{:.1f}</i>", 1.25)]) == f"<b>{SAFE}<i>1.2</i></b>"
    assert html("{:>3}", html("<")) == "  &lt;"
    assert join([EVIL, html("<br>")], "\n") == f"{SAFE}\n<br>"
    assert html("<b></b>") + EVIL == f"<b></b>{SAFE}"
    # What joins texts makes a text again, which is escaped: nothing gets in by being forgotten.
    assert html("{}", "".join([html("<i></i>")])) == "&lt;i&gt;&lt;/i&gt;"


def test_a_page_of_evil_names():
    page = render_page(EVIL, [render_section("here", EVIL, EVIL), EVIL], html("a {{}}"), html("1"))
    page += render_table(EVIL, EVIL, [EVIL]) + draw_dot(1, 2, EVIL) + dataset_statistics._facts({EVIL: EVIL})
    page += figures.render_color_bar(np.zeros((1, 3), np.uint8), {0.5: EVIL}, EVIL, EVIL)
    assert "<img src=q" not in page
    assert page.count(SAFE) == 14


@pytest.mark.parametrize("folder", ["fgseg_tf/report", "tools/walk"])
def test_pages_are_made_in_no_other_way(folder):
    """No f-string holds a tag, no text is declared to be HTML, and a script is a file of the package."""
    for path in sorted((ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.JoinedStr):
                constant = "".join(str(part.value) for part in node.values if isinstance(part, ast.Constant))
                assert "</" not in constant, f"{path}:{node.lineno}"
                assert "/>" not in constant, f"{path}:{node.lineno}"
            called = node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""
            if called == "Html":
                assert path.name in ("html.py", "page.py"), f"{path}:{node.lineno}"
            if called == "html":
                assert isinstance(node.args[0], ast.Constant | ast.IfExp), f"{path}:{node.lineno}"


def test_settings_and_flags_of_a_run_are_text():
    scores = {
        "image_size": [1, 1],
        "parameters": 1,
        "both_ways": False,
        "data": {"shards": EVIL},
        "digest": EVIL,
        "labels": EVIL,
        "seconds": {"all": 1},
    }
    told = evaluation_report._run({"network": EVIL, "stages": ["</script>"]}, EVIL, scores)
    assert isinstance(told, Html)
    assert "<img" not in told
    assert "</script" not in told
