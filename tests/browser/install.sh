#!/bin/sh
# Chromium and a CJK font for the browser tests: installs what is missing where it may, else says it in one line.
# Under CI=true something missing is a failure.
missing=""
command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || missing="chromium"
fc-list :lang=zh 2>/dev/null | grep -q . || missing="$missing fonts-noto-cjk"
[ -z "$missing" ] && exit 0

root=""
[ "$(id -u)" = 0 ] || root="sudo -n"
if command -v apt-get >/dev/null && { [ -z "$root" ] || sudo -n true 2>/dev/null; }; then
  $root apt-get update -qq && DEBIAN_FRONTEND=noninteractive $root apt-get install -y -qq --no-install-recommends $missing fontconfig >/dev/null && exit 0
fi
echo "browser tests: missing $missing; install with: apt-get install $missing"
[ "$CI" != true ]
