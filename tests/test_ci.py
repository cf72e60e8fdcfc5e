"""Tests of .ci/check-report: only tests that need all of MNIST may be skipped."""

import os
import runpy
import subprocess
import sys
from xml.etree import ElementTree

import pytest

from tests.conftest import ROOT, run

BROWSER_FILES = runpy.run_path(str(ROOT / ".ci" / "check-report"))["BROWSER_FILES"]
N_BROWSER = 9 * len(BROWSER_FILES)
NEEDS = '<properties><property name="needs" value="MNIST"/></properties>'
SKIPPED = "<skipped/>"


def case(name, inside="", *, file="data"):
    return f'<testcase classname="tests.test_{file}" name="{name}">{inside}</testcase>'


IN_BROWSER = "".join(case(f"{i}", file=file) for file in BROWSER_FILES for i in range(9))


@pytest.fixture
def check(tmp_path):
    """Return a function that checks a report with these cases; it returns status and output."""

    def check(cases, *, mnist_dir=""):
        report = tmp_path / "report.xml"
        report.write_text(
            f"<testsuites><testsuite>{cases}</testsuite></testsuites>", encoding="utf-8"
        )
        command = [sys.executable, ROOT / ".ci" / "check-report", report]
        env = os.environ | {"MNIST_DIR": mnist_dir}
        done = subprocess.run(command, env=env, capture_output=True, encoding="utf-8")
        return done.returncode, (done.stdout + done.stderr).splitlines()

    return check


def test_without_mnist_skipped_tests_are_accepted_and_listed(check):
    cases = IN_BROWSER + case("plain") + case("real", NEEDS + SKIPPED)
    assert check(cases) == (
        0,
        [
            "CI: skipped without MNIST_DIR: tests.test_data::real",
            f"CI: {N_BROWSER + 1} tests ran, {N_BROWSER} of them in a browser",
        ],
    )


def test_with_mnist_all_tests_run(check):
    cases = IN_BROWSER + case("plain") + case("real", NEEDS)
    assert check(cases, mnist_dir="data") == (
        0,
        [f"CI: {N_BROWSER + 2} tests ran, {N_BROWSER} of them in a browser"],
    )


@pytest.mark.parametrize(
    ("cases", "folder", "message"),
    [
        (
            IN_BROWSER + case("plain", SKIPPED),
            "",
            "these tests did not run: tests.test_data::plain",
        ),
        (IN_BROWSER + case("real", NEEDS + SKIPPED), "data", "did not run: tests.test_data::real"),
        (IN_BROWSER + case("real", NEEDS), "", "ran without the MNIST that they need"),
        (IN_BROWSER[: IN_BROWSER.rindex("<testcase")], "", "too few browser tests ran"),
    ],
)
def test_any_other_skip_is_refused(check, cases, folder, message):
    status, [output] = check(cases, mnist_dir=folder)
    assert status == 1
    assert message in output


def test_a_test_that_uses_mnist_dir_is_marked_in_the_report(tmp_path):
    report = tmp_path / "report.xml"
    options = ["-q", "-n0", "-p", "no:cacheprovider", f"--junitxml={report}", "-k", "the_test_set"]
    done = run("-m", "pytest", "tests/test_data.py", *options, env={"MNIST_DIR": "", "CI": "true"})
    assert done.returncode == 0, done.stdout
    [found] = ElementTree.parse(report).iter("testcase")
    assert found.get("name") == "test_the_test_set_begins_with_the_fixture"
    assert found.find("skipped") is not None
    assert [each.attrib for each in found.iter("property")] == [{"name": "needs", "value": "MNIST"}]
