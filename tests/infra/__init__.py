"""The deployment as data: templates, rights, alarms. Needs no server."""
