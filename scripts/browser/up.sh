#!/usr/bin/env bash
# What the tests of the report in a browser need, on Debian or Ubuntu: Chromium and node from its packages, axe-core and
# puppeteer-core from npm. Does nothing where they are there.
set -euo pipefail
cd "$(dirname "$0")"
missing=()
command -v chromium >/dev/null || missing+=(chromium)
command -v node >/dev/null || missing+=(nodejs)
command -v npm >/dev/null || missing+=(npm)
if ((${#missing[@]})); then
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends "${missing[@]}" fonts-dejavu-core
fi
[[ -d node_modules/axe-core && -d node_modules/puppeteer-core ]] || npm install --silent --no-audit --no-fund --no-package-lock
