#!/usr/bin/env bash
# The main job, start to end, against the sandbox: a month of payroll events
# from a Kafka archive on S3 through Parquet and COPY into the warehouse, the
# tie-out that proves it, and what happens when somebody changes the table.
# Usage: cmd/sandbox/demo.sh [EVENTS]. Everything it makes is below .demo/.
set -euo pipefail
cd "$(dirname "$0")/../.."
events=${1:-1000000}
demo=$PWD/.demo
from=2026-03-01 to=2026-04-01 zone=America/Los_Angeles

say() { printf '\n\033[1m== %s\033[0m\n' "$*"; }
expect() { # expect CODE COMMAND…: the command must end with that exit code
	local want=$1 got=0
	shift
	"$@" || got=$?
	if [ "$got" != "$want" ]; then
		echo "demo: expected exit code $want, got $got from: $*" >&2
		exit 1
	fi
	echo "(exit code $got)"
}
backfill() { ./bin/backfill "$@"; }
sql() { ./bin/sandbox sql --env-file "$demo/env" "$@"; }

rm -rf "$demo"
mkdir -p "$demo"
say "Starting the sandbox: S3 and a Redshift stand-in on loopback"
mkfifo "$demo/stdin"
./bin/sandbox serve --dir "$demo/data" --env-file "$demo/env" --until-stdin-closes <"$demo/stdin" >"$demo/sandbox.log" 2>&1 &
sandbox=$!
exec 9>"$demo/stdin" # the sandbox ends when this script does
finish() {
	exec 9>&-
	wait "$sandbox" || true
}
trap finish EXIT
for _ in $(seq 300); do
	[ -f "$demo/env" ] && break
	kill -0 "$sandbox" 2>/dev/null || { cat "$demo/sandbox.log" >&2; exit 1; }
	read -rt 0.1 <> <(:) || true
done
# shellcheck disable=SC1091
. "$demo/env"

say "Generating $events payroll events of March 2026, with planted faults"
./bin/sandbox generate --env-file "$demo/env" --seed 2026 --events "$events" --from $from --to $to --zone $zone \
	--codec mixed --truth "$demo/truth.json" --dataset "$demo/payroll.yaml"

say "The target table holds rows already: another source's, and those of neighbouring months"
sql "CREATE SCHEMA payroll" "CREATE TABLE payroll.events (
  event_id varchar(36) NOT NULL, type varchar(32) NOT NULL, employee_id bigint NOT NULL, company_id bigint,
  gross_amount decimal(18,2), tax_amount decimal(18,2), net_amount decimal(18,2), currency char(3), pay_run_id varchar(36),
  occurred_at timestamp NOT NULL, version integer NOT NULL, bank_account varchar(64), details super, source varchar(16),
  _kafka_topic varchar(249), _kafka_partition integer, _kafka_offset bigint, _backfill_run varchar(64),
  PRIMARY KEY (event_id)) DISTKEY (event_id) SORTKEY (occurred_at)" \
	"INSERT INTO payroll.events (event_id, type, employee_id, gross_amount, currency, occurred_at, version, source) VALUES
  ('manual-1', 'payment.settled', 1, 10.00, 'USD', '2026-03-10 12:00:00', 1, 'manual'),
  ('february-1', 'payment.settled', 2, 20.00, 'USD', '2026-02-27 12:00:00', 1, 'payroll'),
  ('april-1', 'payment.settled', 3, 30.00, 'EUR', '2026-04-02 12:00:00', 1, 'payroll')" >/dev/null
neighbours="SELECT event_id, type, employee_id, gross_amount, currency, occurred_at, version, source FROM payroll.events WHERE event_id IN ('manual-1', 'february-1', 'april-1') ORDER BY event_id"
sql "$neighbours" | tee "$demo/neighbours.before"

window=(--dataset "$demo/payroll.yaml" --from $from --to $to)
say "backfill run"
expect 0 backfill run "${window[@]}" --memory 512MiB

say "Rows of other sources and months are untouched"
sql "$neighbours" >"$demo/neighbours.after"
cmp "$demo/neighbours.before" "$demo/neighbours.after" && echo "identical"

say "The same command again does nothing"
expect 0 backfill run "${window[@]}" --memory 512MiB | tail -n 4

say "Somebody deletes a row, changes one and doubles one"
sql "DELETE FROM payroll.events WHERE event_id = (SELECT MIN(event_id) FROM payroll.events WHERE source = 'payroll' AND occurred_at >= '2026-03-03' AND occurred_at < '2026-03-04')" \
	"UPDATE payroll.events SET gross_amount = gross_amount + 0.01 WHERE event_id = (SELECT MIN(event_id) FROM payroll.events WHERE source = 'payroll' AND occurred_at >= '2026-03-15' AND occurred_at < '2026-03-16')" \
	"INSERT INTO payroll.events SELECT * FROM payroll.events WHERE event_id = (SELECT MIN(event_id) FROM payroll.events WHERE source = 'payroll' AND occurred_at >= '2026-03-20' AND occurred_at < '2026-03-21')" >/dev/null
expect 5 backfill reconcile "${window[@]}"

say "The same backfill replaces the window from the archive"
expect 0 backfill run "${window[@]}" --memory 512MiB | tail -n 12

say "An archive with a gap that nothing explains is INCOMPLETE"
./bin/sandbox generate --env-file "$demo/env" --seed 7 --events 20000 --from $from --to $to --zone $zone --prefix gap --events-per-object 1000 \
	--faults none --fault offset_gaps=1 --truth "$demo/gap-truth.json" --dataset "$demo/gap.yaml" >/dev/null
sql "CREATE TABLE payroll.events_gap (LIKE payroll.events)" >/dev/null
expect 6 backfill run --dataset "$demo/gap.yaml" --set table.name=payroll.events_gap --from $from --to $to

say "Where to look"
echo "  archive      $demo/data (buckets archive and staging)"
echo "  datasets     $demo/payroll.yaml, $demo/gap.yaml"
echo "  truth        $demo/truth.json, what the generator planted"
echo "  reports      s3://staging/backfill/targets/payroll.events/reports/"
echo "  sandbox log  $demo/sandbox.log"
