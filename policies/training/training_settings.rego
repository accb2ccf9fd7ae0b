# METADATA
# title: Soundness of the data about training
# description: >-
#   Proves that what the rules about training read is there and of the right type; only they read it. See
#   `governance.settings`.
package governance.training_settings

import data.governance.shape

proven if {
	_records_proven
	_findings_proven
	_runs_proven
}

_records_proven if {
	training := data.training
	personal := training.personal
	consents := training.consents
	contracts := training.contracts
	collected := training.collected
	synthetic := training.synthetic
	kinds := training.source_kinds
	unlicensed := training.unlicensed
	basis := training.basis
	_answers({
		personal.given, personal.not_needed, personal.refused, personal.unknown,
		consents.given, consents.not_needed, consents.refused, consents.unknown,
		contracts.active, contracts.expired, contracts.none, contracts.unknown,
		collected.future, collected.known, collected.missing,
		synthetic.no, synthetic.stated, synthetic.unknown, synthetic.yes,
		kinds.crawled, kinds.licensed, kinds.other, kinds.own, kinds.public, kinds.synthetic, kinds.unknown, kinds.user,
		unlicensed.contract, unlicensed.none, unlicensed.own,
		basis.computed, basis.none, basis.stated,
		training.near_duplicate,
	})
	_signals_proven(training.opt_outs)
	_signals_proven(training.opt_outs_under_contract)
}

_signals_proven(signals) if {
	_answers({
		signals.c2pa_training_mining, signals.iptc_data_mining, signals.list_domain, signals.list_hash,
		signals.list_id, signals.robots, signals.tdmrep, signals.x_robots_tag,
	})
}

_findings_proven if {
	problems := data.training.problems
	unscored := data.training.unscored
	_answers({
		problems.bad_url, problems.bad_value, problems.duplicate_id, problems.future_time, problems.hash_differs,
		problems.manifest_invalid, problems.missing, problems.too_large, problems.unknown_licence, problems.unreadable,
		unscored.nsfw, unscored.similar,
	})
	thresholds := data.training.thresholds
	levels := [thresholds.nsfw.deny, thresholds.nsfw.review, thresholds.similar.deny, thresholds.similar.review]
	shape.wholes(levels, 0)
}

_runs_proven if {
	training := data.training
	methods := training.methods
	is_object(methods)
	_answers({answer | some answer in methods} | {training.declared, training.other_bundle})
	shape.wholes([training.approvals, training.audit_days], 1)
	is_array(training.approvers)
	is_array(training.trainers)
	shape.texts(array.concat(training.approvers, training.trainers))
}

_answers(given) if count(given - {"allow", "note", "review", "deny"}) == 0
