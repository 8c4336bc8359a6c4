"""Each sentence that is promised, with the tests that show it, by node id."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

ACCOUNTS = "tests/test_feedback_accounts.py::"
DOORS = "tests/test_security_doors.py::"
FILES = "tests/test_security_files.py::"
IMAGE = "tests/test_security_image.py::"
KEYS = "tests/test_server_keys.py::"
OIDC = "tests/test_server_oidc.py::"
PAGE = "tests/test_ui_app.py::"
SIGNED = "tests/test_ui_sign_in.py::"
SIGN_IN = "tests/test_server_sign_in.py::"
USERS = "tests/test_rankloop_users.py::"

SENTENCES: Mapping[str, Sequence[str]] = {
    "A key is rl_<id>_<secret>, shown once, kept as SHA-256.": (
        USERS + "test_a_key_is_printed_once_and_listed_without_its_secret",
        "tests/test_feedback_keys.py::test_a_key_is_kept_as_its_sha_256_alone",
    ),
    "Keys are compared in constant time.": (FILES + "test_keys_are_compared_in_constant_time",),
    "A key has scopes: chat, rank, read, operate, admin.": (
        DOORS + "test_with_every_scope_but_its_own_a_route_is_403",
        DOORS + "test_every_route_declares_what_it_needs",
    ),
    "A key expires; its last use is on record.": (
        KEYS + "test_a_key_ends_when_it_expires",
        "tests/test_feedback_keys.py::test_a_good_key_has_its_person_and_scopes_and_a_last_use",
    ),
    "A revoked key opens nothing after 5 s.": (
        KEYS + "test_a_revoked_key_opens_nothing_after_five_seconds",
    ),
    "No key stands in a log or an address.": (
        "tests/test_server_access.py::test_no_log_line_holds_what_people_type_or_their_keys",
        "tests/test_security_logs.py::test_no_process_writes_what_people_type_or_their_keys",
        DOORS + "test_a_key_in_an_address_opens_nothing",
    ),
    "rankloop users add, list and revoke.": (
        USERS + "test_a_key_is_printed_once_and_listed_without_its_secret",
        USERS + "test_mistakes_are_one_line",
        "tests/test_feedback_keys.py::test_revoking_a_person_ends_their_keys_and_nobody_elses",
    ),
    "People sign in with a name and a password (argon2id).": (
        "tests/test_feedback_passwords.py::test_what_is_kept_is_argon2id_and_never_twice_the_same",
        "tests/test_feedback_passwords.py::test_a_name_that_nobody_has_costs_as_much",
        SIGN_IN + "test_wrong_name_and_wrong_password_look_alike",
        SIGN_IN + "test_no_refusal_repeats_a_password",
        SIGN_IN + "test_tries_are_bounded_by_name_and_by_address",
    ),
    "People come in by an invitation link.": (
        USERS + "test_an_invitation_is_a_link_that_is_printed_once",
        ACCOUNTS + "test_an_invitation_is_good_once",
        ACCOUNTS + "test_an_invitation_expires",
        ACCOUNTS + "test_an_invitation_is_kept_as_its_digest_alone",
        "tests/test_ui_sign_in_browser.py::test_invited_chats_ranks_leaves_and_comes_back",
    ),
    "OpenID Connect with a kept library, as an option.": (
        OIDC + "test_whoever_the_provider_lets_in_has_the_scopes_of_their_groups",
        OIDC + "test_an_id_token_for_anything_else_is_refused",
        OIDC + "test_an_id_token_that_the_provider_did_not_sign_is_refused",
        OIDC + "test_a_code_is_good_with_what_it_began_with_and_once",
        OIDC + "test_nobody_is_signed_in_by_anothers_code",
    ),
    "The session of a revoked person opens nothing after 5 s.": (
        SIGN_IN + "test_a_revoked_persons_session_opens_nothing_after_five_seconds",
        SIGNED + "test_a_revoked_person_is_out_of_the_page_within_five_seconds",
    ),
    "The page shows nothing before one signs in, and leads nowhere else after.": (
        SIGNED + "test_nothing_is_answered_before_one_signs_in",
        SIGNED + "test_a_session_that_was_planted_is_never_used",
        SIGNED + "test_signing_in_leads_to_the_page_and_nowhere_else",
    ),
    "Every route and mount, however spelled, is 401 without a key.": (
        DOORS + "test_without_a_key_every_route_is_401",
        DOORS + "test_only_what_one_signs_in_by_is_answered_to_whoever_has_no_key",
        DOORS + "test_a_route_that_declares_nothing_is_the_owners_alone",
        "tests/test_server_access.py::test_health_is_open",
    ),
    "With the wrong scope it is 403.": (
        DOORS + "test_with_every_scope_but_its_own_a_route_is_403",
    ),
    "A person sees and ranks only what was issued to them; else 404.": (
        KEYS + "test_another_persons_ids_are_404",
        KEYS + "test_an_item_is_its_persons_who_ranks_what_others_were_answered",
        KEYS + "test_whoever_was_shown_a_battle_may_judge_it",
    ),
    "A ranking counts only for what was issued and has not expired.": (
        KEYS + "test_an_answer_is_ranked_only_for_so_many_days",
    ),
    "Unranked answers are null.": (KEYS + "test_an_answer_that_is_not_ranked_is_null",),
    "Requests are bounded per person and per address.": (
        "tests/test_server_limits.py::"
        "test_a_person_with_a_key_of_their_own_is_refused_the_fourth_request",
        "tests/test_server_limits.py::test_an_address_is_refused_before_its_key_is_looked_at",
    ),
    "The bound holds within 5 % across two server processes.": (
        "tests/test_server_limits.py::test_two_server_processes_count_together_within_a_twentieth",
    ),
    "Host and origin are checked.": (
        "tests/test_server_access.py::test_other_names_for_this_machine_are_refused_without_a_key",
        PAGE + "test_other_sites_pages_do_not_reach_it",
    ),
    "Forged requests from other sites do nothing (CSRF).": (
        PAGE + "test_other_sites_pages_do_not_reach_it",
        SIGNED + "test_another_sites_page_does_nothing_in_a_persons_name",
        SIGNED + "test_another_sites_page_reads_nothing",
    ),
    "Cookies are HttpOnly and SameSite.": (
        SIGNED + "test_the_cookie_is_for_no_script_and_no_other_site",
    ),
    "Pages have a Content-Security-Policy.": (
        PAGE + "test_the_page_asks_nobody_else",
        SIGNED + "test_no_page_of_ours_is_shown_in_another",
    ),
    "No CORS by default.": (DOORS + "test_no_answer_lets_another_origins_page_read_it",),
    "Gradio's file, proxy and upload routes are closed.": (
        PAGE + "test_gradios_uploads_and_proxies_are_shut",
        PAGE + "test_no_file_of_the_machine_is_served",
        PAGE + "test_no_listener_is_an_api",
    ),
    "What people type never becomes special tokens.": (
        "tests/test_policy_chat.py::test_typed_special_token_is_text",
        "tests/test_policy_chat.py::test_forged_special_token_is_text",
        "tests/test_policy_chat.py::test_typed_special_token_in_a_reply_is_text",
    ),
    "No pickle, in imports and in files.": (
        FILES + "test_no_module_reads_pickles",
        FILES + "test_no_file_that_comes_along_is_a_pickle",
        FILES + "test_torch_loads_nothing_but_tensors",
        "tests/test_server_orders.py::test_nothing_is_made_of_what_is_no_message",
        "tests/test_policy_model.py::test_pickled_weights_are_refused",
    ),
    "trust_remote_code is off.": (
        FILES + "test_no_model_brings_code_of_its_own",
        "tests/test_policy_model.py::test_code_in_the_folder_is_never_run",
    ),
    "Versions are known by their digest.": (
        "tests/test_policy_versions.py::test_damage_is_found_and_named",
        "tests/test_policy_versions.py::test_digest_is_the_contents",
        "tests/test_policy_versions.py::test_another_model_is_refused_with_both_names",
    ),
    "Logs are JSON lines with request ids.": (
        "tests/test_security_logs.py::test_every_line_of_every_process_is_json",
        "tests/test_server_access.py::test_a_request_keeps_the_id_that_it_brings",
    ),
    "No prompt or key at INFO; prompts only where that is set.": (
        "tests/test_security_logs.py::test_no_process_writes_what_people_type_or_their_keys",
        "tests/test_security_logs.py::"
        "test_prompts_are_logged_where_that_is_set_and_nothing_else_of_them",
    ),
    "Every act of an operator is on record.": (
        KEYS + "test_an_operators_act_is_on_record",
        KEYS + "test_keys_given_and_ended_are_on_record",
        "tests/test_feedback_keys.py::test_an_act_is_on_record_before_its_outcome",
    ),
    "The image runs as non-root.": (IMAGE + "test_the_image_runs_as_nobody_special",),
    "Its root file system is read-only, and no shell is needed (as declared).": (
        IMAGE + "test_nothing_of_the_image_is_started_by_a_shell",
        IMAGE + "test_compose_gives_it_a_read_only_root",
    ),
    "Secrets come by file or environment.": (
        USERS + "test_a_setting_may_be_read_from_a_file",
        USERS + "test_a_file_without_a_key_opens_no_door",
        IMAGE + "test_no_secret_is_built_into_the_image",
    ),
}
"""A sentence without a test is a row that failed."""
