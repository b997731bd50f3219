"""Settings for every test folder."""

import os

from hypothesis import HealthCheck, settings

# Runners are shared and slow at times; a slow example is no defect.
settings.register_profile("local", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("local"), derandomize=True, database=None)
settings.load_profile("ci" if os.environ.get("CI") else "local")
