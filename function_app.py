"""The function app: Azure Functions finds its triggers here. What they do is in `shared`."""

import azure.functions as func

from shared.telemetry import configure_logging
from shared.triggers.admin import blueprint as admin
from shared.triggers.alerts import blueprint as alerts
from shared.triggers.backfills import blueprint as backfills
from shared.triggers.failures import blueprint as failures
from shared.triggers.in_hand import blueprint as in_hand
from shared.triggers.profile_changes import blueprint as profile_changes

configure_logging()

app = func.FunctionApp()
app.register_functions(profile_changes)
app.register_functions(failures)
app.register_functions(backfills)
app.register_functions(alerts)
app.register_functions(in_hand)
app.register_functions(admin)
