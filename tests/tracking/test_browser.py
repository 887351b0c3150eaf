"""What a user sees: a real `mlflow server`, a real Chromium, and the links that tandem prints."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from urllib.error import URLError
from urllib.parse import quote
from urllib.request import urlopen

import mlflow
import pytest
from selenium.common.exceptions import StaleElementReferenceException, TimeoutException
from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

from tandem.registry import color
from tandem.tracking.dashboard import UI
from tests.shell import free_port

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
SMALL = ("model.reg_param=[0.1]", "model.elastic_net_param=[0,0.5]", "folds.k=3")
ARTIFACT = ("compare-flights", "report/report.html", "dep_delay of flights: ")  # run, file, heading
FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (CHROMIUM and DRIVER),
        reason="no chromium and chromedriver -> apt-get install chromium chromium-driver",
    ),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, migrated_store: Path) -> Path:
    """Where the store is."""
    path = tmp_path_factory.mktemp("ui")
    shutil.copy(migrated_store, path / "mlflow.db")
    return path


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[str]:
    """The address of `mlflow server` on the store of `folder`; it may be starting yet."""
    port = free_port()
    command = ["-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--workers", "1", "--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}"]
    quiet = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with (
        (folder / "server.log").open("wb") as log,
        subprocess.Popen(
            [sys.executable, *command],
            cwd=folder,
            env=quiet,
            stdout=log,
            stderr=log,
            start_new_session=True,
        ) as process,
    ):
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            os.killpg(process.pid, signal.SIGTERM)  # it and its worker
            process.wait(timeout=30)


def tandem(folder: Path, *arguments: str) -> str:
    """Run the command in `folder`; what it prints."""
    done = subprocess.run(
        [sys.executable, "-m", "tandem", *arguments, *SMALL],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        cwd=folder,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def wait_until_it_answers(server: str) -> None:
    deadline = time.monotonic() + 120
    while True:
        try:
            with urlopen(f"{server}/health", timeout=5):  # noqa: S310 - our own server
                return
        except URLError:
            assert time.monotonic() < deadline, "mlflow server does not start"
            time.sleep(0.2)


@pytest.fixture(scope="module")
def printed(folder: Path, server: str) -> dict[str, str]:
    """What a comparison prints on a local store, and then a sweep on the server's address."""
    local = tandem(folder, "compare", "compare.engines=[sequential,scan]", "dataset.rows=2000")
    wait_until_it_answers(server)
    sweep = ("-m", "engine=scan", "dataset.rows=4000,8000", f"tracking.uri={server}")
    return {"compare": local, "sweep": tandem(folder, *sweep)}


@pytest.fixture(scope="module")
def runs(folder: Path, printed: dict[str, str]) -> dict[str, mlflow.entities.Run]:
    """The runs by their names."""
    assert printed
    client = mlflow.MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    found = client.search_runs([e.experiment_id for e in client.search_experiments()])
    return {run.info.run_name: run for run in found}


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    """A headless Chromium with a profile of its own."""
    options = ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    chrome = Chrome(options=options, service=ChromeService(DRIVER))
    try:
        yield chrome
    finally:
        chrome.quit()


def open_page(browser: Chrome, address: str, height: int = 1000) -> None:
    """Load `address` anew; of the same page with another fragment only the fragment would change.

    MLflow unfolds its assistant over half of the page of a new visitor; it is told to be folded.
    """
    browser.set_window_size(1400, height)
    browser.get(address.partition("#")[0] + "health")
    for key in ("fab.autoOpenedOnFirstLoad_v1", "panelOpen_v1"):
        value = "true" if key.startswith("fab") else "false"
        browser.execute_script(f"localStorage.setItem('mlflow.assistant.{key}', '{value}')")
    browser.get(address)


def wait(browser: Chrome, condition: Callable[[], object], what: str) -> None:
    """Wait until `condition` holds; a failure quotes the page."""
    patient = WebDriverWait(browser, 60, 0.1, [StaleElementReferenceException])
    try:
        patient.until(lambda _: condition())
    except TimeoutException:
        pytest.fail(f"{what}; the page says: {text(browser)}")


def text(browser: Chrome) -> str:
    return browser.find_element(By.TAG_NAME, "body").text


def wait_for(browser: Chrome, *texts: str) -> None:
    """Wait until all of `texts` can be read."""
    wait(browser, lambda: all(t in text(browser) for t in texts), f"not all of {texts}")


def keep(browser: Chrome, name: str) -> None:
    """A screenshot, in the folder that TANDEM_SCREENSHOTS names."""
    if place := os.environ.get("TANDEM_SCREENSHOTS"):
        Path(place).mkdir(parents=True, exist_ok=True)
        assert browser.save_screenshot(str(Path(place, f"{name}.png")))


def link(output: str, server: str, label: str) -> str:
    """The link that a command printed after `label`, on the server of this test."""
    found = re.search(rf"^{label} +(http\S+)$", output, re.MULTILINE)
    assert found, output
    return found[1].replace(UI, server)


CARD = "[data-testid=experiment-view-compare-runs-card]"


def fills(browser: Chrome, title: str) -> list[str]:
    """The colours of the bars of the chart called `title`, from top to bottom."""
    bars = browser.execute_script(
        "const card = [...document.querySelectorAll(arguments[0])]"
        ".find(card => card.innerText.startsWith(arguments[1]));"
        "return [...(card?.querySelectorAll('.trace.bars .point path') ?? [])]"
        ".map(bar => getComputedStyle(bar).fill)",
        CARD,
        title,
    )
    channels = [re.findall(r"\d+", bar) for bar in bars]
    return ["#" + "".join(f"{int(channel):02x}" for channel in bar[:3]) for bar in channels]


def test_the_dashboard_shows_the_engines(
    browser: Chrome, server: str, printed: dict[str, str]
) -> None:
    address = link(printed["sweep"], server, "dashboard")
    assert address == link(printed["compare"], server, "dashboard")
    open_page(browser, address, height=3600)
    sections = ("Is Spark worth it?", "Where does the time go?", "Is it the same answer?")
    names = ("sequential-flights-2000r-3f", *(f"scan-flights-{n}000r-3f" for n in (2, 4, 8)))
    wait_for(browser, *sections, "What else differs?", *names, "4 matching runs")
    colors = [color(engine) for engine in ("scan", "scan", "scan", "sequential")]  # newest first
    for metric in ("Time in all, seconds", "Peak memory, MB", "Held-out RMSE, mean over folds"):
        wait(browser, partial(holds, browser, metric, colors), f"{metric}: not {colors}")
    cards = browser.find_elements(By.CSS_SELECTOR, CARD)
    assert len(cards) == 8
    wait(browser, lambda: all(map(drawn, cards)), "an empty chart")
    keep(browser, "dashboard")
    browser.set_window_size(1400, 1000)
    wait_for(browser, sections[0])
    wait(browser, partial(holds, browser, "Time in all, seconds", colors), "no bars in a window")
    keep(browser, "ui")


def holds(browser: Chrome, title: str, colors: list[str]) -> bool:
    return sorted(fills(browser, title)) == sorted(colors)


def drawn(card: WebElement) -> bool:
    """Whether something is drawn on a chart: bars, points, lines or the table of differences."""
    marks = ".point path, .points path, .js-line, canvas, [role=row], [role=cell]"
    return bool(card.find_elements(By.CSS_SELECTOR, marks))


@pytest.mark.parametrize(
    ("command", "says"), [("compare", "speedup/scan"), ("sweep", "sweep/done")]
)
def test_the_other_link_shows_the_run(
    browser: Chrome, server: str, printed: dict[str, str], command: str, says: str
) -> None:
    open_page(browser, link(printed[command], server, "this run"))
    wait_for(browser, says)
    keep(browser, f"run-{command}")


def test_an_artifact_is_shown_inline(
    browser: Chrome, server: str, runs: dict[str, mlflow.entities.Run]
) -> None:
    name, path, heading = ARTIFACT
    info = runs[name].info
    page = f"/#/experiments/{info.experiment_id}/runs/{info.run_id}/artifacts/{path}"
    open_page(browser, f"{server}{page}?workflowType=machine_learning")
    wait(browser, lambda: browser.find_elements(By.TAG_NAME, "iframe"), "no page in the page")
    browser.switch_to.frame(browser.find_element(By.TAG_NAME, "iframe"))
    wait(browser, lambda: heading in browser.find_element(By.TAG_NAME, "h1").text, "no heading")
    browser.switch_to.default_content()
    keep(browser, "artifact")


def test_two_runs_are_compared(
    browser: Chrome, server: str, runs: dict[str, mlflow.entities.Run]
) -> None:
    pair = [runs[f"{engine}-flights-2000r-3f"].info for engine in ("sequential", "scan")]
    ids = json.dumps([info.run_id for info in pair], separators=(",", ":"))
    page = f'/#/compare-runs?runs={ids}&experiments=["{pair[0].experiment_id}"]'
    open_page(browser, f"{server}{quote(page, safe='/#?&=')}")
    wait_for(browser, "Comparing 2 Runs", *(info.run_name for info in pair), "engine.name")
    keep(browser, "compare-runs")
