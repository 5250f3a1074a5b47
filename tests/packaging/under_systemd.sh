#!/bin/sh
# Runs as a service of a machine that has just started, with the package installed: tries what
# systemd does for the mirror, and writes a line for each try: its name and what came of it.
exec >/root/told 2>&1

say() { echo "$1: $(shift; "$@" 2>&1 | tr '\n' ' ')"; }
get() { curl --silent --insecure --max-time 20 "$@"; }
state() { systemctl show hubmirror --property "$1" --value; }
settled() { # no longer starting
    for _ in $(seq 100); do
        [ "$(state ActiveState)" = "$1" ] && return
        sleep 0.2
    done
}

settled active
say started state StatusText
say plain get http://127.0.0.1:5000/healthz
say watchdog state WatchdogUSec
say reload systemctl reload hubmirror
say reloaded state StatusText
systemctl stop hubmirror

systemctl --quiet start hubmirror.socket hubmirror-https.socket
say on-demand get https://127.0.0.1/healthz
say sockets state StatusText
systemctl restart hubmirror & # whoever comes meanwhile waits
say waiting get http://127.0.0.1:5000/healthz
wait

echo 0123456789abcdef >/root/token
mkdir /etc/systemd/system/hubmirror.service.d
printf '[Service]\nLoadCredential=token:/root/token\n' \
    >/etc/systemd/system/hubmirror.service.d/token.conf
cat >>/etc/hubmirror/hubmirror.toml <<END
monitor_token = "credential:token"
workers = 2
END
systemctl daemon-reload
systemctl restart hubmirror
say workers state StatusText
say credential get -H 'Authorization: Bearer 0123456789abcdef' http://127.0.0.1:5000/quota
say check hubmirror check --config /etc/hubmirror/hubmirror.toml
say secure get https://127.0.0.1/healthz

say restarts state NRestarts
say journal journalctl --unit hubmirror --grep 'listening on' --output json
say errors journalctl --unit hubmirror --priority err --quiet
systemctl stop hubmirror.socket hubmirror-https.socket hubmirror
say result state Result
systemctl poweroff
