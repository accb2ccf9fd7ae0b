package governance.model_test

import data.governance.fixtures
import data.governance.model
import data.governance.reasons

# The reasons where the data says this of the model, beside or in place of what the fixture says.
found(change) := verdicts if {
	entry := object.union(fixtures.models.m, change)
	verdicts := _verdicts with input as fixtures.admission
		with data.models as {"m/1": entry}
		with data.licences as fixtures.settings.licences
}

# The same of the one adapter in force.
found_adapter(change) := verdicts if {
	entry := object.union(fixtures.adapters.d5, change)
	verdicts := _verdicts with input as fixtures.changed("/model/adapters", [fixtures.adapter])
		with data.models as fixtures.models
		with data.adapters as {"d5": entry}
		with data.licences as fixtures.settings.licences
}

_verdicts := {
	"denials": _brief(model.denials),
	"reviews": _brief(reasons.answering(model.answered, "review")),
	"notes": _brief(reasons.answering(model.answered, "note")),
}

_brief(found_reasons) := {[reason.code, reason.datum] | some reason in found_reasons}

nothing := {"denials": set(), "reviews": set(), "notes": set()}

denied(code, datum) := object.union(nothing, {"denials": {[code, datum]}})

test_a_model_is_known_as_a_whole if {
	found({}) == nothing
	found({"components": {"unet": "d2", "vae": "d9"}}) == denied("model.not_allowed", "/models")
}

test_a_model_expires if {
	every time in ["2026-11-23T14:00:00.001Z", "2026-11-23T14:00:01Z", "9999-12-31T23:59:59Z"] {
		found({"expires": time}) == nothing
	}
	every time in [
		"2026-11-23T14:00:00.000Z", "2026-11-23T14:00:00Z", "2026-11-23T14:00:00.000000Z", "2026-11-23T14:00:00.0Z",
		"2026-11-23T13:59:59.999999Z", "never", "", null, 9,
	] {
		found({"expires": time}) == denied("model.expired", "/models/m~11/expires")
	}
}

test_a_licence_must_be_known_and_allow_the_purpose if {
	found({"licence": "CC-BY-NC-4.0"}) == denied("model.licence", "/licences/CC-BY-NC-4.0/purposes")
	found({"licence": "GPL-2.0"}) == denied("model.licence", "/models/m~11/licence")
	found({"licence": 5}) == denied("model.licence", "/models/m~11")
	unlicensed := object.remove(fixtures.models.m, ["licence"])
	verdicts := _verdicts with input as fixtures.admission with data.models as {"m": unlicensed}
	verdicts == denied("model.licence", "/models/m")
	every licence in [{"purposes": "marketing"}, {"purposes": []}, {"purposes": null}, "any"] {
		denials := model.denials with input as fixtures.admission
			with data.models as fixtures.models
			with data.licences as {"Apache-2.0": licence}
		fixtures.codes(denials) == {"model.licence"}
	}
}

test_an_undisclosed_origin_does_what_the_data_says if {
	every origin in ["", null, 5] {
		noted := found({"data_origin": origin}) with data.undisclosed as "note"
		noted == object.union(nothing, {"notes": {["model.undisclosed", "/models/m~11"]}})
	}
	reviewed := found({"data_origin": ""}) with data.undisclosed as "review"
	reviewed == object.union(nothing, {"reviews": {["model.undisclosed", "/models/m~11"]}})
	every answer in ["deny", "maybe"] {
		verdicts := found({"data_origin": ""}) with data.undisclosed as answer
		verdicts == denied("model.undisclosed", "/models/m~11")
	}
}

test_an_adapter_must_be_allowed if {
	found_adapter({}) == nothing
	denials := model.denials with input as fixtures.changed("/model/adapters", [fixtures.adapter])
		with data.models as fixtures.models
		with data.adapters as {}
		with data.licences as fixtures.settings.licences
	fixtures.codes(denials) == {"adapter.not_allowed"}
}

test_what_holds_for_models_holds_for_adapters if {
	found_adapter({"expires": "2026-11-23T14:00:00Z"}) == denied("adapter.expired", "/adapters/d5/expires")
	found_adapter({"licence": "GPL-2.0"}) == denied("adapter.licence", "/adapters/d5/licence")
	undisclosed := object.union(nothing, {"notes": {["adapter.undisclosed", "/adapters/d5"]}})
	noted := found_adapter({"data_origin": ""}) with data.undisclosed as "note"
	noted == undisclosed
}

test_an_adapter_is_allowed_up_to_a_scale_of_either_sign if {
	every largest in [799, 0, "much", null] {
		found_adapter({"max_scale_thousandths": largest}) == denied("adapter.scale", "/adapters/d5/max_scale_thousandths")
	}
	found_adapter({"max_scale_thousandths": 800}) == nothing
}

test_the_scales_of_an_adapter_that_is_loaded_twice_are_added_up if {
	loaded := [object.union(fixtures.adapter, {"scale_thousandths": scale}) | some scale in [-400, 401]]
	every largest, codes in {800: {"adapter.scale"}, 801: set()} {
		found_codes := {denial.code | some denial in _denials(loaded, largest)}
		found_codes == codes
	}
	{denial.path | some denial in _denials(loaded, 800)} == {
		"/model/adapters/0/scale_thousandths",
		"/model/adapters/1/scale_thousandths",
	}
}

_denials(loaded, largest) := denials if {
	denials := model.denials with input as fixtures.changed("/model/adapters", loaded)
		with data.models as fixtures.models
		with data.adapters as {"d5": object.union(fixtures.adapters.d5, {"max_scale_thousandths": largest})}
		with data.licences as fixtures.settings.licences
}

test_one_instant_is_one_time_however_it_is_written if {
	every now in ["2026-11-23T14:00:00Z", "2026-11-23T14:00:00.000Z", "2026-11-23T14:00:00.0000Z"] {
		every expires in ["2026-11-23T14:00:00Z", "2026-11-23T14:00:00.00Z", "2026-11-23T14:00:00.00000Z"] {
			denials := model.denials with input as fixtures.changed("/time", now)
				with data.models as {"m": object.union(fixtures.models.m, {"expires": expires})}
				with data.licences as fixtures.settings.licences
			fixtures.codes(denials) == {"model.expired"}
		}
	}
}
