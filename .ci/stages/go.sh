# Stages that need Go alone.

readme_test() { go test ./...; }

readme_demo() { go tool sluice demo && go tool sluice demo --json | tail -n 12; }

# demo_measure: the demo must notice when what it measures is broken.
demo_measure() {
  go tool sluice demo --without idempotency
  local code=$?
  if [ "$code" -ne 1 ]; then
    echo "demo --without idempotency exited $code, want 1"
    return 1
  fi
}

vet() {
  local unformatted
  unformatted=$(gofmt -l .)
  if [ -n "$unformatted" ]; then
    echo "not formatted: $unformatted"
    return 1
  fi
  go vet ./... && go mod verify >/dev/null && go mod tidy -diff
}

race() { go test -race ./events/... ./framework/... ./handlers/... ./scripts/...; }

simulation() { SLUICE_SIM_SCHEDULES=300000 go test -count=1 -v -timeout 280s ./framework/consumer/simulation; }

mutants() { go run ./scripts/mutants; }

# fuzz gives each target a short while: long enough to notice a parser that
# panics, short enough to run on each change.
fuzz() {
  local pkg target
  go list -f '{{.ImportPath}} {{.Dir}}' ./framework/... | while read -r pkg dir; do
    for target in $(grep -hoE '^func Fuzz[A-Za-z0-9_]+' "$dir"/*_test.go 2>/dev/null | awk '{print $2}'); do
      echo "$pkg $target"
      go test -run '^$' -fuzz "^$target\$" -fuzztime 10s "$pkg" || exit 1
    done
  done
}

bench() { cd bench && go vet ./... && go test ./...; }

# lint installs the linter by version; the proxy that serves it may be away.
lint() {
  local version=v2.15.0
  if ! [ -x "$tools/bin/golangci-lint" ]; then
    if ! GOBIN=$tools/bin GOFLAGS=-mod=mod go install "github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$version"; then
      echo "golangci-lint $version cannot be installed here"
      return 77
    fi
  fi
  golangci-lint run ./...
}

# chaos plays the demo with faults at the wire, on as many seeds as fit into
# four minutes, and at least 40.
chaos() {
  go build -o "$tools/bin/sluice" ./scripts/sluice || return 1
  local seed begin
  begin=$(date +%s)
  for seed in $(seq 1 300); do
    if ! "$tools/bin/sluice" demo --chaos --seed "$seed" >"$logs/chaos-run.log" 2>&1; then
      echo "seed $seed failed:"
      cat "$logs/chaos-run.log"
      return 1
    fi
    if [ "$seed" -ge 40 ] && [ $(($(date +%s) - begin)) -gt "${SLUICE_CHAOS_SECONDS:-240}" ]; then
      break
    fi
  done
  echo "$seed seeds: nothing lost, no transactional effect doubled" | tee "$logs/note"
}
