# METADATA
# title: Shape of a question about training
# description: >-
#   Proves, part by part, that the facts of a record or of a run can be read. As in `governance.shape`, the parts are proven,
#   not refuted.
package governance.training_shape

import data.governance.shape

# Every part can be read.
proven if count(malformed) == 0

# JSON pointers to the parts that cannot be read.
malformed contains "/question" if not _question_proven

malformed contains "/purpose" if not _purpose_proven

malformed contains "/record" if {
	not _about_run
	not _record_proven
}

malformed contains "/run" if {
	not _about_record
	not _run_proven
}

malformed contains path if {
	_about_run
	some path in _run_parts
}

# What is said of a run where the question is a record would be taken for part of the answer; and the other way round.
malformed contains concat("", ["/", name]) if {
	some name in _foreign[input.question]
	type_name(input[name])
}

_foreign := {"record": ["principal", "run"], "run": ["record"]}

_question_proven if _about_record

_question_proven if _about_run

_about_record if input.question == "record"

_about_run if input.question == "run"

_purpose_proven if shape.text(input.purpose)

_record_proven if {
	record := input.record
	is_string(record.licence)
	record.source_kind in {"public", "licensed", "crawled", "user", "synthetic", "own", "other", "unknown"}
	record.consent in {"given", "refused", "not_needed", "unknown"}
	record.contract in {"none", "active", "expired", "unknown"}
	record.collected in {"known", "missing", "future"}
	record.synthetic in {"yes", "stated", "no", "unknown"}
	record.basis in {"computed", "stated", "none"}
	record.work_action in {"", "deny", "review", "allow"}
	is_boolean(record.near_duplicate)
	shape.texts(record.personal)
	_hundredths(record.nsfw_hundredths)
	_hundredths(record.similar_hundredths)
	_signals_proven(record.opt_outs)
	_problems_proven(record.problems)
}

_signals_proven(signals) if {
	is_array(signals)
	unknown := {signal | some signal in signals} - {
		"tdmrep", "robots", "x_robots_tag", "iptc_data_mining", "c2pa_training_mining", "list_id", "list_domain",
		"list_hash",
	}
	count(unknown) == 0
}

_problems_proven(problems) if {
	is_array(problems)
	unknown := {problem | some problem in problems} - {
		"missing", "unreadable", "too_large", "hash_differs", "duplicate_id", "bad_url", "bad_value", "future_time",
		"unknown_licence", "manifest_invalid",
	}
	count(unknown) == 0
}

# A score, or null where no detector looked.
_hundredths(score) if is_null(score)

_hundredths(score) if {
	shape.wholes([score], 0)
	score <= 100
}

_run_proven if {
	run := input.run
	run.phase in {"start", "finish"}
	run.lineage in {"witnessed", "declared"}
	shape.text(run.method)
}

_run_parts contains "/run/base" if not _base_proven

_run_parts contains "/run/datasets" if not _datasets_proven

_base_proven if {
	base := input.run.base
	shape.text(base.key)
	is_string(base.licence)
	shape.state(base.state)
	shape.expiry(base.expires)
}

_datasets_proven if {
	datasets := input.run.datasets
	is_array(datasets)
	count(datasets) > 0
	every dataset in datasets {
		shape.texts([dataset.name, dataset.bundle_revision])
		dataset.state in {"audited", "approved", "withdrawn", "recalled"}
		shape.time(dataset.audited)
		is_boolean(dataset.same_bundle)
		outcomes := dataset.outcomes
		counts := [dataset.contents, dataset.age_days, dataset.consumed, outcomes.allow, outcomes.review, outcomes.deny]
		shape.wholes(counts, 0)
		_approvals_proven(dataset.approvals)
	}
}

_approvals_proven(approvals) if {
	is_array(approvals)
	every approval in approvals {
		shape.wholes([approval.person], 0)
		shape.texts(approval.roles)
		approval.assurance in {"asserted", "authenticated"}
	}
}
