# Python 3.11 or later, git and make are all that these need. ARGS goes to the command: make demo ARGS="--json out.json"

.DEFAULT_GOAL := help
.PHONY: help run demo demo-dataset exchange test bench fuzz schemathesis mutants branches campaign sbom audit seeded-bugs release-B11 release-B12 release-B15 release-B16 release-B17 contracts-release contracts-mutants lint types clean
ARGS =

help: ## What there is
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' Makefile

run: ## Start the gateway at http://127.0.0.1:8000/graphql
	@.ci/environment
	@exec .venv/bin/consentry serve $(ARGS)

demo: ## Do the main job, start to end, with a gateway of its own
	@.ci/environment
	@exec .venv/bin/consentry demo $(ARGS)

demo-dataset: ## Walk the road of a de-identified dataset, with a gateway of its own
	@.ci/environment
	@exec .venv/bin/consentry demo-dataset $(ARGS)

test: ## Run the tests that need no server
	@.ci/environment --dev
	@.venv/bin/python -m pytest -m "not services" -n 3 --dist loadfile --no-loadscope-reorder $(ARGS)

bench: ## Measure, as ratios within one run
	@.ci/environment --dev
	@exec .venv/bin/python -m tests.benchmarks $(ARGS)

mutants: ## Mutation testing of what decides, seals and proves
	@.ci/mutants $(ARGS)

campaign: ## Run a fault campaign in its short form: make campaign ARGS="B1"; release-B1 is its release form
	@.ci/environment --dev
	@exec .venv/bin/python -m tests.campaigns $(ARGS)

fuzz: ## The parsers under atheris, a million runs each (bar B9)
	@.ci/fuzz $(ARGS)

schemathesis: ## Every query and mutation under schemathesis
	@.ci/schemathesis

seeded-bugs:
	@.ci/environment --dev
	@exec .venv/bin/python -m tests.campaigns.seeded $(ARGS)

branches: ## Every branch of the decision is taken by its table (bar B11)
	@.ci/environment --dev
	@.ci/branches

release-B11: ## Every field, every deed and every stream by every role in every state of consent
	@.ci/environment --dev
	@DOOR=release .venv/bin/python -m pytest tests/attacks/test_door.py tests/unit/gateway/consent -n 0 --timeout 3600 $(ARGS)

release-B12: ## Signatures and proofs: 10,000 mutants of each kind, on which gateway, contract and verifier agree
	@.ci/environment --dev
	@VERDICT_MUTANTS=10000 .venv/bin/python -m pytest tests/attacks/test_signatures.py tests/attacks/test_passkey_signatures.py \
		tests/attacks/test_proof_verdicts.py -n 0 --timeout 7200 --durations 5 $(ARGS)

release-B15: ## What is forbidden and what is absent by the clock, 3,000 probes of each kind by each way
	@.ci/environment --dev
	@ORACLE_PROBES=3000 .venv/bin/python -m pytest tests/attacks/release_existence.py -n 0 -s --timeout 7200 $(ARGS)

release-B16: ## Releases of all 439 Synthea patients, of Adult and of a trial, against other tools
	@.ci/environment --dev
	@.ci/measures
	@SYNTHEA_PATIENTS=439 .venv/bin/python -m pytest tests/attacks/test_small_cells.py tests/attacks/test_measures_of_others.py \
		tests/attacks/test_linking.py -n 0 --timeout 3600 $(ARGS)

release-B17: ## Burn a database of 10,000 records and rebuild it, in both columns (ARGS="-k embedded" for one)
	@.ci/environment --dev
	@REBUILD_RECORDS=10000 .venv/bin/python -m pytest tests/journeys/test_rebuild.py -n 0 --timeout 3600 \
		--durations 0 -k "what_it_was or end_to_end or goes_on" $(ARGS)

contracts-release: ## The contracts under more than 10^6 calls and 10,000 runs of each fuzz test (bar B23)
	@.ci/contracts --release

contracts-mutants: ## Every mutant of the contracts that is written down is killed by a test
	@.ci/contracts-mutants $(ARGS)

release-%:
	@.ci/environment --dev
	@exec .venv/bin/python -m tests.campaigns $* --release $(ARGS)

exchange: ## The CDISC pilot's study in and out, with all of its 306 subjects (SUBJECTS=306)
	@.ci/environment --dev
	@STUDY_SUBJECTS=$(or $(SUBJECTS),306) .venv/bin/python -m pytest tests/journeys/test_study_exchange.py -n 0 \
		--timeout 7200 --durations 5 $(ARGS)

erasure: ## Erase 200 patients and try to open everything that is left, as a thief would (SUBJECTS=200)
	@.ci/environment --dev
	@ERASURE_SUBJECTS=$(or $(SUBJECTS),200) .venv/bin/python -m pytest tests/attacks/test_erasure.py --timeout 3600 $(ARGS)

sbom: ## The bill of materials of what the gateway runs on, in sbom.cdx.json (CycloneDX)
	@.ci/supply-chain

audit: ## Ask PyPI's advisory service for known weaknesses of all locked packages
	@.ci/supply-chain --audit

lint: ## Format, lint, imports, dependencies
	@.ci/environment --dev
	@.venv/bin/ruff format --check .
	@.venv/bin/ruff check .
	@.venv/bin/lint-imports --no-logo
	@.venv/bin/deptry .

types: ## mypy, strict
	@.ci/environment --dev
	@.venv/bin/mypy

clean: ## Remove the environment; the data folder stays
	@rm -rf .venv
