"""What a user sees: a real `mlflow server`, a real Chromium, and the links that tandem prints."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import mlflow
import pytest
from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from tandem.dashboard import UI
from tandem.report import COLORS

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
SMALL = ("model.reg_param=[0.1]", "model.elastic_net_param=[0,0.5]", "folds.k=3")
PAGE = ("data", "cleaning.html", "Cleaning")  # of the parent: folder, file, its text

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (CHROMIUM and DRIVER),
        reason="no chromium and chromedriver -> apt-get install chromium chromium-driver",
    ),
]
