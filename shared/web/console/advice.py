"""What to do about a failure, by its code, as docs/errors.md says it."""

ADVICE = {
    "unknown-host": "correct the namespace's name; with a private endpoint, "
    "let the app use the DNS of its virtual network",
    "unreachable": "look at firewalls, port 5671 and the private endpoint",
    "blocked-by-firewall": "allow the app's addresses or its virtual network in the namespace's network rules",
    "unknown-hub": "correct the hub's name, or make the hub",
    "bad-key": "rotate the destination to a key that it knows, or correct the hub's name",
    "no-send-claim": "give the key the claim Send, or the identity the role Azure Event Hubs Data Sender",
    "no-identity": "assign the identity to the Function App",
    "sign-in-failing": "see that the Function App has its identity; where the endpoint is out, nothing: "
    "the app asks again every 15 s",
    "no-credentials": "look at the vault and its roles, or correct the app setting that the text names",
    "disabled": "set the hub's status to active",
    "quota": "lower CONNECTIONS_PER_HUB or the number of instances, or raise the namespace's tier or units",
    "throttled": "raise throughput units if it lasts; what waits is sent by itself",
    "timeout": "nothing if it passes; else look at the hub's metrics, or raise SEND_TIMEOUT",
    "too-large": "map fewer attributes, or shorten the profile, then redrive",
    "destination-down": "see why the destination is down; this is sent by itself when it answers",
    "dataflow-paused": "resume the dataflow",
    "removed": "nothing",
    "gave-up": "mend what the log names, then redrive, or replay the item",
    "other": "read the text beside the code",
    "unreadable": "correct what upstream sends, then send it again",
    "invalid-change": "correct what upstream sends: the text names the field",
    "invalid-audience": "correct what upstream sends: the text names the field",
    "invalid-resync": "the text says what is expected; resyncByMessage lets a destination take them",
    "profile-too-large": "remove attributes or memberships that are no longer needed, then replay",
}
