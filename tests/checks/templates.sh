#!/bin/sh
# Holds the templates of infra/ to SAM's and CloudFormation's own rules, and to those for serverless
# applications; with SCALE=full to checkov's rules of security, too. Needs no account.
set -eu
cd "$(dirname "$0")/../.."
templates="infra/template.yaml infra/pipeline.yaml infra/function-alarms.yaml infra/network.yaml"
# SAM asks for some, and calls nobody with them.
export AWS_DEFAULT_REGION=us-east-1 AWS_ACCESS_KEY_ID=none AWS_SECRET_ACCESS_KEY=none SAM_CLI_TELEMETRY=0

sam=$(tests/aws/setup.sh sam)
# shellcheck disable=SC2086
"$sam/cfn-lint" --append-rules cfn_lint_serverless.rules -- $templates
"$sam/sam" validate --lint --template infra/template.yaml

[ "${SCALE:-}" = full ] || exit 0
checkov=$(tests/aws/setup.sh checkov)
# It has no rule for alarms and schedules, which is all that the other two hold.
for template in infra/template.yaml infra/network.yaml; do
    echo "checkov: $template"
    "$checkov/checkov" --framework cloudformation serverless --skip-download --file "$template" --output json \
        | "$checkov/python" tests/checks/checkov.py "$template"
done
