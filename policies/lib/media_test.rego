package governance.media_test

import data.governance.fixtures
import data.governance.media

# What is said of `facts`, where sounds are allowed or not, in these markets and under these general obligations.
said(facts, allowed, markets, general) := found if {
	found := {[reason.code, reason.path, reason.datum] | some reason in media.denials} with input as facts
		with data.allow_audio as allowed
		with data.markets as markets
		with data.obligations as general
		with data.normaliser as fixtures.settings.normaliser
}

asking(kinds) := fixtures.changed("/request/media", kinds)

making(kind) := object.union(fixtures.release, {
	"request": object.union(fixtures.release.request, {"media": ["video", "audio"]}),
	"draft": object.union(fixtures.release.draft, {"media": kind}),
})

refused := ["audio.not_allowed", "/request/media", "/allow_audio"]

unlabelled := ["audio.label", "/request/media", ""]

test_pictures_and_videos_need_no_permission if {
	every kinds in [["image"], ["video"]] {
		said(asking(kinds), false, {"CN": {"visible_label": "AI生成"}}, {}) == set()
	}
}

test_sounds_are_not_allowed_unless_the_data_says_so if {
	every kinds in [["audio"], ["video", "audio"]] {
		said(asking(kinds), false, {}, {}) == {refused}
		said(asking(kinds), true, {}, {}) == set()
	}
	said(making("audio"), false, {}, {}) == {refused}
	said(making("video"), false, {}, {}) == {refused}
}

test_a_sound_cannot_carry_a_label if {
	every rules in [{"CN": {"visible_label": "AI生成"}}, {"EU": {"visible_label": "KI"}}] {
		said(asking(["audio"]), true, rules, {}) == {unlabelled}
		said(asking(["video", "audio"]), true, rules, {}) == set()
		said(making("audio"), true, rules, {}) == {unlabelled}
		said(making("video"), true, rules, {}) == set()
	}
	said(asking(["audio"]), true, {}, {"visible_label": "AI-generated"}) == {unlabelled}
}
