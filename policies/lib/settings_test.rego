package governance.settings_test

import data.governance.fixtures
import data.governance.settings

test_the_shipped_data_is_sound if settings.sound

test_tables_are_objects if {
	not settings.sound with data.blocked_terms as ["passport"]
	not settings.sound with data.protected_names as null
	not settings.sound with data.licences as "any"
	not settings.sound with data.works as 5
	not settings.sound with data.roles as []
	not settings.sound with data.markets as []
	not settings.sound with data.markets as {"EU": "all"}
}

test_answers_are_known_words if {
	not settings.sound with data.allow_audio as "no"
	not settings.sound with data.allow_inputs as "no"
	not settings.sound with data.negative_terms as "maybe"
	not settings.sound with data.encoded_prompts as "allow"
	not settings.sound with data.undisclosed as null
	not settings.sound with data.unregistered as {"adapters": "deny", "models": "maybe"}
	not settings.sound with data.unregistered as {"adapters": "deny"}
	not settings.sound with data.unregistered as "deny"
	not settings.sound with data.opaque.latents as "note"
	not settings.sound with data.opaque as {"embedding": "allow", "latents": "deny", "callback": "deny"}
	not settings.sound with data.input_manifests as {"none": "note", "untrusted": "deny"}
	not settings.sound with data.input_manifests as {"none": "allow"}
	not settings.sound with data.input_manifests as []
}

test_amounts_are_numbers if {
	every value in [0, -1, "many", null, [], 9007199254740992] {
		not settings.sound with data.limits.step_pixels as value
		not settings.sound with data.budgets as {"images": value}
		not settings.sound with data.roles.editor.budget as {"steps": value}
		not settings.sound with data.review.approvals as value
		not settings.sound with data.review.approvals_by_code as {"work.review": value}
	}
	settings.sound with data.budgets as {}
}

test_a_misspelt_budget_is_no_budget if {
	not settings.sound with data.budgets as {"image": 5}
	not settings.sound with data.budgets as []
	not settings.sound with data.roles.editor.budget as {"image": 5}
}

test_markets_hold_what_rules_can_read if {
	every market in [
		{"thresholds": {"nsfw": {"deny": 5}}},
		{"thresholds": {"nsfw": {"deny": 5, "review": "low"}}},
		{"thresholds": []},
		{"visible_label": ""},
		{"output_formats": "image/png"},
		{"approvals": 0.5},
		{"label_position": "middle"},
		{"label_position": ""},
		{"label_position": ["top-left"]},
		{"label_language": ""},
		{"label_language": 5},
	] {
		not settings.sound with data.markets as {"EU": market}
	}
	settings.sound with data.markets as {"EU": {"thresholds": {"nsfw": {"deny": 5, "review": 4}}}}
	settings.sound with data.markets as {"EU": {"label_position": "top-left", "label_language": "en"}}
}

test_somebody_reviews if {
	review := fixtures.review
	settings.sound with data.review as review
	every change in [{"roles": []}, {"roles": "reviewer"}, {"queue": ""}, {"queue": 5}, {"queue_by_code": ["brand"]}, {"queue_by_code": {"work.review": ""}}] {
		not settings.sound with data.review as object.union(review, change)
	}
	every value in [-1, 0.5, "24", null, []] {
		not settings.sound with data.review as object.union(review, {"due_hours": value})
		not settings.sound with data.review as object.union(review, {"expire_hours": value})
	}
	every key in ["roles", "approvals", "queue", "due_hours", "expire_hours"] {
		not settings.sound with data.review as object.remove(review, [key])
	}
	settings.sound with data.review as object.union(object.remove(review, ["queue_by_code"]), {"due_hours": 0})
}

test_reviewers_are_lists_of_roles if {
	review := fixtures.review
	settings.reviewers_proven with data.review as review
	every change in [
		{"acts": ["holds.read"]},
		{"acts": {"holds.read": "reviewer"}},
		{"acts": {"holds.read": [""]}},
		{"acts": {"holds.read": [5]}},
		{"acts": {"holds.read": {"reviewer": true}}},
		{"queues": ["general"]},
		{"queues": {"general": ["reviewer"]}},
		{"queues": {"general": {}}},
		{"queues": {"general": {"roles": "reviewer"}}},
		{"queues": null},
	] {
		not settings.reviewers_proven with data.review as json.patch(review, [{"op": "add", "path": sprintf("/%s", [name]), "value": value} |
			some name, value in change
		])
	}
	not settings.reviewers_proven with data.review as object.remove(review, ["acts"])
	not settings.reviewers_proven with data.review as object.remove(review, ["queues"])
}
