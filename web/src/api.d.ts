// Made by `npm run types`: do not edit.
// OpenAPI sha256 2136a8048e917e023949d5f9e2a98f820c34772d58ff3e9d6e72673a75b96265
export interface paths {
    "/api/v1/answers": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Own Answers
         * @description Own answers, the newest first; with a subject and a form every revision about it, the first to arrive first.
         */
        get: operations["own_answers_api_v1_answers_get"];
        put?: never;
        /**
         * Send Answer
         * @description Say something about a picture, a pair or an order; a later answer takes the place of an earlier one.
         */
        post: operations["send_answer_api_v1_answers_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/answers/bulk": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Send Answers
         * @description Hand in many answers; one that is refused harms no other. Sending it all again does no harm.
         */
        post: operations["send_answers_api_v1_answers_bulk_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/asks/{id}/decline": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Decline
         * @description Put an ask away. It has no consequence.
         */
        post: operations["decline_api_v1_asks__id__decline_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/asks/budget": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Budget
         * @description How often the person may still be asked today.
         */
        get: operations["budget_api_v1_asks_budget_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/asks/lease": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Lease
         * @description What a device needs to decide about these pictures by itself, with the same result as the server.
         */
        post: operations["lease_api_v1_asks_lease_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/asks/log": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Decisions
         * @description The person's own decisions, the ones not to ask too.
         */
        get: operations["decisions_api_v1_asks_log_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/asks/pending": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Pending
         * @description The newest ask that was not answered, put away or expired.
         */
        get: operations["pending_api_v1_asks_pending_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/asks/statistics": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Statistics
         * @description How asking goes, over everybody: what estimates speak of (eligible pictures), and what they leave out.
         */
        get: operations["statistics_api_v1_asks_statistics_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/asks/sync": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Sync
         * @description Hand in decisions made offline: each is worked out again and charged to the budget once.
         */
        post: operations["sync_api_v1_asks_sync_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/audit": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Audit
         * @description Who did what to what.
         */
        get: operations["audit_api_v1_audit_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/duels/next": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Duel
         * @description A pair drawn uniformly from those the person was not given yet; the one that is open comes again.
         */
        get: operations["duel_api_v1_duels_next_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/forms": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Forms
         * @description The forms in use, that of asks first.
         */
        get: operations["forms_api_v1_forms_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/gallery": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Gallery
         * @description A page of the person's own gallery. low and high bound what it is ordered by; for the newest, the confidence.
         */
        get: operations["gallery_api_v1_gallery_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/gallery/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * One Picture
         * @description A picture of the person's own gallery.
         */
        get: operations["one_picture_api_v1_gallery__id__get"];
        put?: never;
        post?: never;
        /**
         * Erase Picture
         * @description Erase a picture for good: its row, its bytes, its embedding, and what refers to it.
         */
        delete: operations["erase_picture_api_v1_gallery__id__delete"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/gallery/{id}/appeal": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Appeal
         * @description Say that one's own picture was blurred wrongly.
         */
        post: operations["appeal_api_v1_gallery__id__appeal_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/gallery/{id}/favourite": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        /**
         * Set Favourite
         * @description Mark a picture as a favourite, or not.
         */
        put: operations["set_favourite_api_v1_gallery__id__favourite_put"];
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/gallery/{id}/report": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Report
         * @description Say that one's own picture is unsafe: it is blurred at once, and a moderator looks at it.
         */
        post: operations["report_api_v1_gallery__id__report_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/gold": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Gold Items
         * @description Every picture with a known answer, retired ones too, and how people did.
         */
        get: operations["gold_items_api_v1_gold_get"];
        /**
         * Put Gold
         * @description Say what the right answer about one's own picture is. Others will be shown it now and then.
         *
         *     What is known already any moderator may change or retire.
         */
        put: operations["put_gold_api_v1_gold_put"];
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/gold/{picture}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Gold
         * @description The known answer about a picture.
         */
        get: operations["gold_api_v1_gold__picture__get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/invitations": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Invite
         * @description Make an invitation for one person.
         */
        post: operations["invite_api_v1_invitations_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/jobs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List Jobs
         * @description One's own jobs, the newest first.
         */
        get: operations["list_jobs_api_v1_jobs_get"];
        put?: never;
        /**
         * Create Job
         * @description Enter a request. The same Idempotency-Key again gives the first one.
         */
        post: operations["create_job_api_v1_jobs_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/jobs/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get Job
         * @description One of one's own jobs.
         */
        get: operations["get_job_api_v1_jobs__id__get"];
        put?: never;
        post?: never;
        /**
         * Cancel Job
         * @description Cancel one of one's own jobs; pictures that are ready stay. One that has ended stays as it is.
         */
        delete: operations["cancel_job_api_v1_jobs__id__delete"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/jobs/{id}/events": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Follow Job
         * @description The events of one of one's own jobs until it ends, as server-sent events.
         */
        get: operations["follow_job_api_v1_jobs__id__events_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/keys": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Keys
         * @description The person's keys.
         */
        get: operations["keys_api_v1_keys_get"];
        put?: never;
        /**
         * Create Key
         * @description Make a key.
         */
        post: operations["create_key_api_v1_keys_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/keys/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /**
         * Revoke Key
         * @description Revoke one of the person's keys; at once and for good.
         */
        delete: operations["revoke_key_api_v1_keys__id__delete"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/login": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Login
         * @description Open a session.
         */
        post: operations["login_api_v1_login_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/logout": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Logout
         * @description End the session that asks; other ways of being known end elsewhere.
         */
        post: operations["logout_api_v1_logout_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/me": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Me
         * @description The person who asks.
         */
        get: operations["me_api_v1_me_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        /**
         * Change Me
         * @description Change the person's own account.
         */
        patch: operations["change_me_api_v1_me_patch"];
        trace?: never;
    };
    "/api/v1/me/password": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Change Password
         * @description Change the password. Every session ends, and this browser gets a new one.
         */
        post: operations["change_password_api_v1_me_password_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/me/sessions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Sessions
         * @description The person's sessions.
         */
        get: operations["sessions_api_v1_me_sessions_get"];
        put?: never;
        post?: never;
        /**
         * End Sessions
         * @description End all of the person's sessions but the one that asks.
         */
        delete: operations["end_sessions_api_v1_me_sessions_delete"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/me/sessions/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /**
         * End Session
         * @description End one of the person's sessions.
         */
        delete: operations["end_session_api_v1_me_sessions__id__delete"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/models": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get Models
         * @description What is served now.
         */
        get: operations["get_models_api_v1_models_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/models/{model}/histogram": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get Histogram
         * @description The confidence of a model's pictures in equal bins of 0..1, with the share of bad ratings.
         */
        get: operations["get_histogram_api_v1_models__model__histogram_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/models/challenger": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        /**
         * Put Challenger
         * @description Have people compare a checkpoint with the champion, in a trial of its own; or end the trial that runs.
         */
        put: operations["put_challenger_api_v1_models_challenger_put"];
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/models/duels": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get Duels
         * @description How the trial of the challenger stands. For operators: who votes shall not know how others did.
         */
        get: operations["get_duels_api_v1_models_duels_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/models/history": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get History
         * @description Which model was served when, and why it was changed.
         */
        get: operations["get_history_api_v1_models_history_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/models/promote": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Promote
         * @description Order that a checkpoint be served. Follow it like a run.
         */
        post: operations["promote_api_v1_models_promote_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/models/repeats": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get Repeats
         * @description Whether few prompts cause most of the requests to do it again. No prompt is told.
         */
        get: operations["get_repeats_api_v1_models_repeats_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/models/rollback": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Roll Back
         * @description Order that the champion before this one be served. Follow it like a run.
         */
        post: operations["roll_back_api_v1_models_rollback_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/my-data": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Counts
         * @description What the studio holds of the person, counted.
         */
        get: operations["counts_api_v1_my_data_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/my-data/erase": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Erase
         * @description Erase the account and all that is the person's. The next training set is without it.
         */
        post: operations["erase_api_v1_my_data_erase_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/my-data/export": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Export
         * @description Everything of the person as a zip file: one JSON-lines file a table, and the pictures.
         */
        get: operations["export_api_v1_my_data_export_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/oidc/callback": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Finish
         * @description Take the browser back from the identity provider and open a session.
         */
        get: operations["finish_api_v1_oidc_callback_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/oidc/login": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Begin
         * @description Send the browser to the identity provider.
         */
        get: operations["begin_api_v1_oidc_login_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/pictures/{id}.{form}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get Picture
         * @description The bytes of a picture of one's own, or of one that a signed link opens.
         */
        get: operations["get_picture_api_v1_pictures__id___form__get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/points/{award}/reverse": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Reverse
         * @description Take an award back, pending or final, and give back its place in the day's count, so that nobody loses by it.
         */
        post: operations["reverse_api_v1_points__award__reverse_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/profile": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Profile
         * @description Points, tier, quota and budget of the person.
         */
        get: operations["profile_api_v1_profile_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/profile/points": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Points
         * @description How each award came about: entered, made final or taken back, with the reason.
         */
        get: operations["points_api_v1_profile_points_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/profile/rater": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Rater
         * @description What the person's answers weigh in training and statistics, worked out now.
         */
        get: operations["rater_api_v1_profile_rater_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/profile/taste": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Taste
         * @description What the person's own marks tell about their taste.
         */
        get: operations["taste_api_v1_profile_taste_get"];
        put?: never;
        post?: never;
        /**
         * Forget Taste
         * @description Forget the fitted vector of the person's taste.
         */
        delete: operations["forget_taste_api_v1_profile_taste_delete"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/rankings/next": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Ranking
         * @description The pictures of one request, drawn uniformly from the requests with three or more that were not ranked yet.
         */
        get: operations["ranking_api_v1_rankings_next_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/reports": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Waiting Reports
         * @description What waits for a moderator.
         */
        get: operations["waiting_reports_api_v1_reports_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/reports/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Resolve
         * @description Decide an appeal or a report; one that is decided stays so.
         */
        post: operations["resolve_api_v1_reports__id__post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/reports/own": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Own Reports
         * @description The person's own appeals and reports.
         */
        get: operations["own_reports_api_v1_reports_own_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/reviews/next": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Review
         * @description The next picture of a rating session. Costs no budget of asks.
         */
        get: operations["review_api_v1_reviews_next_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/rooms": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Rooms
         * @description The sessions the person was invited to.
         */
        get: operations["rooms_api_v1_rooms_get"];
        put?: never;
        /**
         * Open Room
         * @description Open a session: a perk of the highest tier, and of whoever looks after the server.
         */
        post: operations["open_room_api_v1_rooms_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/rooms/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Room
         * @description A session of the person's, with what lies on its table.
         */
        get: operations["room_api_v1_rooms__id__get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/rooms/{id}/close": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Close
         * @description End one's own session: what was said stays, nothing more is taken in.
         */
        post: operations["close_api_v1_rooms__id__close_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/rooms/{id}/members": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Invite
         * @description Invite people to one's own session. A name that nobody has is refused, and then nobody is invited.
         */
        post: operations["invite_api_v1_rooms__id__members_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/rooms/{id}/pictures": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Lay Out
         * @description Lay own pictures on the table of one's own session.
         */
        post: operations["lay_out_api_v1_rooms__id__pictures_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List Runs
         * @description All runs of this instance, the newest first, with what waits to become one.
         */
        get: operations["list_runs_api_v1_runs_get"];
        put?: never;
        /**
         * Create Run
         * @description Order a run; a worker begins it. The same Idempotency-Key again gives the first one.
         */
        post: operations["create_run_api_v1_runs_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get Run
         * @description One run with curves, examination, pictures and settings.
         */
        get: operations["get_run_api_v1_runs__id__get"];
        put?: never;
        post?: never;
        /**
         * Stop Run
         * @description Cancel a run that waits; ask one that works to stop between two steps. One that has ended stays as it is.
         */
        delete: operations["stop_run_api_v1_runs__id__delete"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs/{id}/events": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Follow Run
         * @description Progress and new points of a run until it ends, as server-sent events; load the run first for what was before.
         */
        get: operations["follow_run_api_v1_runs__id__events_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs/{id}/grid/{place}/{side}.png": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get Grid Picture
         * @description One picture of a run's grid.
         */
        get: operations["get_grid_picture_api_v1_runs__id__grid__place___side__png_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs/{id}/report": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get Report
         * @description The report of a run as a page of its own.
         */
        get: operations["get_report_api_v1_runs__id__report_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/runs/options": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get Options
         * @description What a run may be told to use.
         */
        get: operations["get_options_api_v1_runs_options_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/session": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Session
         * @description Who is asking, and how one gets in. For everybody.
         */
        get: operations["session_api_v1_session_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/setup": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Setup
         * @description Make the first administrator, once.
         */
        post: operations["setup_api_v1_setup_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/sign-up": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Sign Up
         * @description Make an account by invitation, which serves once, and open a session.
         */
        post: operations["sign_up_api_v1_sign_up_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/studies": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List Studies
         * @description The studies one takes part in, and open ones one may take part in.
         */
        get: operations["list_studies_api_v1_studies_get"];
        put?: never;
        /**
         * Make Study
         * @description Make a study of one's own pictures. It is blind at once: who made which is kept from everybody who takes part.
         */
        post: operations["make_study_api_v1_studies_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/studies/{id}/answers": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Answer Pairs
         * @description Keep choices. Sending one again does no harm; the first choice stays.
         */
        post: operations["answer_pairs_api_v1_studies__id__answers_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/studies/{id}/close": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Close Study
         * @description End a study: no pair is given and no answer taken any more.
         */
        post: operations["close_study_api_v1_studies__id__close_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/studies/{id}/invitations": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Make Invitations
         * @description Links for participants without an account.
         */
        post: operations["make_invitations_api_v1_studies__id__invitations_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/studies/{id}/next": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Next Pair
         * @description The first pair that is not wholly answered. The first call gives the participant their pairs.
         */
        get: operations["next_pair_api_v1_studies__id__next_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/studies/{id}/pictures/{assignment}/{side}.png": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get Study Picture
         * @description One side of a pair, by the link that came with it.
         */
        get: operations["get_study_picture_api_v1_studies__id__pictures__assignment___side__png_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/studies/{id}/report": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get Report
         * @description The preference table so far, and whether the answers can be trusted.
         */
        get: operations["get_report_api_v1_studies__id__report_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/studies/all": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List All
         * @description Every study with its progress.
         */
        get: operations["list_all_api_v1_studies_all_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/studies/join": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Join Study
         * @description Take part by a link. The same link again is the same participant.
         */
        post: operations["join_study_api_v1_studies_join_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/users": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Users
         * @description Accounts by name.
         */
        get: operations["users_api_v1_users_get"];
        put?: never;
        /**
         * Add User
         * @description Make an account.
         */
        post: operations["add_user_api_v1_users_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/users/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        /**
         * Change User
         * @description Change an account's roles, shut it out or let it in, say that it may review.
         */
        patch: operations["change_user_api_v1_users__id__patch"];
        trace?: never;
    };
    "/health": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Health
         * @description The process is alive.
         */
        get: operations["health_health_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/metrics": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Metrics
         * @description Counts and times for Prometheus; needs a key with the scope `metrics`.
         */
        get: operations["metrics_metrics_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/ready": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Ready
         * @description Whether requests can be served: 200, or 503 while a part does not answer.
         */
        get: operations["ready_ready_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/images/generations": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Generate
         * @description Paint pictures and answer when they are ready, or stream what there is until then.
         */
        post: operations["generate_v1_images_generations_post"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/models": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List Models
         * @description The names that requests of this person may give as their model.
         */
        get: operations["list_models_v1_models_get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/models/{model}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get Model
         * @description One of them.
         */
        get: operations["get_model_v1_models__model__get"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /**
         * AnswerOutcome
         * @description What became of an answer. http: the status it has when it is sent alone.
         *
         *     code, message and param: why it was refused, and which field is at fault.
         */
        AnswerOutcome: {
            /** Code */
            code: string;
            /** First */
            first: boolean;
            /** Http */
            http: number;
            /** Id */
            id: string;
            /** Message */
            message: string;
            /** Param */
            param?: string | null;
            /**
             * Status
             * @enum {string}
             */
            status: "stored" | "known" | "refused";
        };
        /**
         * AnswerPage
         * @description Own answers; `next` goes into `before`, null at the end.
         */
        AnswerPage: {
            /** Answers */
            answers: components["schemas"]["AnswerView"][];
            /** Next */
            next: number | null;
        };
        /**
         * AnswerView
         * @description An answer as its person sees it. asked: whether the studio had asked for it.
         */
        AnswerView: {
            /** Asked */
            asked: boolean;
            /** Created At */
            created_at: string;
            /** Form */
            form: string;
            /** Id */
            id: string;
            /** Kind */
            kind: string;
            /** Mark */
            mark: number | null;
            /** Payload */
            payload: {
                [key: string]: unknown;
            };
            /** Received At */
            received_at: string;
            /** Retracted */
            retracted: boolean;
            /** Revision Of */
            revision_of: string | null;
            /** Subject */
            subject: string;
        };
        /**
         * AskedPicture
         * @description A picture without what was predicted of it, which must not sway the answer.
         */
        AskedPicture: {
            /** Blurred */
            blurred: boolean;
            /** Created At */
            created_at: string;
            /** Height */
            height: number;
            /** Id */
            id: string;
            /** Negative Prompt */
            negative_prompt: string | null;
            /** Prompt */
            prompt: string | null;
            /** Request Id */
            request_id: string;
            /** Safety Reason */
            safety_reason: string;
            /** Thumbnail Url */
            thumbnail_url: string;
            /** Url */
            url: string;
            /** Width */
            width: number;
        };
        /**
         * AskingChange
         * @description How the person wants to be asked; what is left out stays. Quiet hours are minutes after local midnight.
         */
        AskingChange: {
            /**
             * Less
             * @default false
             */
            less: boolean;
            /**
             * Opted Out
             * @default false
             */
            opted_out: boolean;
            /** Quiet From */
            quiet_from?: number | null;
            /** Quiet Until */
            quiet_until?: number | null;
            /**
             * Timezone
             * @default UTC
             */
            timezone: string;
        };
        /**
         * AskingView
         * @description How the person wants to be asked; quiet hours are minutes after local midnight.
         */
        AskingView: {
            /** Less */
            less: boolean;
            /** Opted Out */
            opted_out: boolean;
            /** Quiet From */
            quiet_from: number | null;
            /** Quiet Until */
            quiet_until: number | null;
            /** Timezone */
            timezone: string;
        };
        /**
         * AskStatistics
         * @description How asking goes. expected: asks that the stored probabilities foretell, to compare with `asked`.
         *
         *     saved: asks that a second pass made unnecessary. excluded: pictures that no coin was thrown for, by reason.
         */
        AskStatistics: {
            /** Asked */
            asked: number;
            /** Decisions */
            decisions: number;
            /** Eligible */
            eligible: number;
            /** Excluded */
            excluded: {
                [key: string]: number;
            };
            /** Expected */
            expected: number;
            /** Outcomes */
            outcomes: {
                [key: string]: number;
            };
            /** Saved */
            saved: number;
        };
        /**
         * AskView
         * @description An ask: the token goes back with the answer and serves once.
         */
        AskView: {
            /** Expires At */
            expires_at: string;
            /** Form */
            form: string;
            /** Id */
            id: string;
            picture: components["schemas"]["AskedPicture"];
            /** Token */
            token: string;
        };
        /**
         * AuditList
         * @description A page of the audit log, the newest first; `next` goes into `before`.
         */
        AuditList: {
            /** Data */
            data: components["schemas"]["AuditView"][];
            /** Next */
            next: number | null;
        };
        /**
         * AuditView
         * @description Who did what to what.
         */
        AuditView: {
            /** Action */
            action: string;
            /** Actor */
            actor: string;
            /** At */
            at: string;
            /** Detail */
            detail: {
                [key: string]: unknown;
            };
            /** Id */
            id: number;
            /** Subject */
            subject: string;
        };
        /**
         * Bin
         * @description Pictures with a confidence from low to high: how many, how many were rated, how many of these badly.
         */
        Bin: {
            /** Answered */
            answered: number;
            /** High */
            high: number;
            /** Low */
            low: number;
            /** Low Marks */
            low_marks: number;
            /** Pictures */
            pictures: number;
        };
        /**
         * BudgetView
         * @description How often a person may still be asked today. paused: why nobody is asked just now, "" when they may be.
         */
        BudgetView: {
            /** Asked Today */
            asked_today: number;
            /** Daily */
            daily: number;
            /** Left */
            left: number;
            /**
             * Paused
             * @enum {string}
             */
            paused: "" | "opted_out" | "not_scored" | "withheld" | "unsafe" | "duplicate" | "warm_up" | "quiet_hours" | "day_cap" | "session_cap";
            /** Per Session */
            per_session: number;
        };
        /**
         * Bulk
         * @description Answers that gathered while there was no network.
         */
        Bulk: {
            /** Answers */
            answers: components["schemas"]["SentAnswer"][];
        };
        /**
         * Candidate
         * @description The checkpoint that people shall compare with the champion, by id or four or more of its first digits.
         *
         *     checkpoint: null ends the trial: nobody compares anything any more.
         */
        Candidate: {
            /** Checkpoint */
            checkpoint: string | null;
            /**
             * Reason
             * @default
             */
            reason: string;
        };
        /**
         * Change
         * @description What of the account is to change; what is left out stays.
         */
        Change: {
            asking?: components["schemas"]["AskingChange"] | null;
            consent?: components["schemas"]["ConsentChange"] | null;
            /** Name */
            name?: string | null;
            /** Preferences */
            preferences?: {
                [key: string]: unknown;
            } | null;
        };
        /**
         * ChecksView
         * @description repeats: answers that were given twice; steady: the share of them that were alike. left: share that chose left.
         *
         *     agreement: Krippendorff's alpha by question.
         */
        ChecksView: {
            /** Agreement */
            agreement: {
                [key: string]: components["schemas"]["Share"];
            };
            left: components["schemas"]["Share"] | null;
            /** Repeats */
            repeats: number;
            steady: components["schemas"]["Share"] | null;
        };
        /**
         * ChoiceOutcome
         * @description What became of one choice; "known": it was made before, and the first one stays.
         */
        ChoiceOutcome: {
            /** Assignment */
            assignment: string;
            /** Code */
            code: string;
            /** Message */
            message: string;
            /** Question */
            question: string;
            /**
             * Status
             * @enum {string}
             */
            status: "stored" | "known" | "refused";
        };
        /**
         * ChoiceOutcomes
         * @description In the order in which they were sent.
         */
        ChoiceOutcomes: {
            /** Outcomes */
            outcomes: components["schemas"]["ChoiceOutcome"][];
        };
        /**
         * Comparison
         * @description How often `first` was preferred to `second` for one question, with the 95 % interval clustered by person.
         *
         *     low, high: null for fewer than two people. verdict: whose side of one half the whole interval lies on.
         */
        Comparison: {
            /** Answers */
            answers: number;
            /** First */
            first: string;
            /** High */
            high: number | null;
            /** Low */
            low: number | null;
            /** Pairs */
            pairs: number;
            /** People */
            people: number;
            /** Preferred */
            preferred: number;
            /** Question */
            question: string;
            /** Second */
            second: string;
            /**
             * Verdict
             * @enum {string}
             */
            verdict: "first" | "second" | "unclear";
        };
        /**
         * ConsentChange
         * @description What the person agrees to; what is left out stays.
         */
        ConsentChange: {
            /** Improve */
            improve?: boolean | null;
            /** Share */
            share?: boolean | null;
            /** Unsafe */
            unsafe?: boolean | null;
        };
        /**
         * ConsentView
         * @description What the person agreed to.
         */
        ConsentView: {
            /** Improve */
            improve: boolean;
            /** Share */
            share: boolean;
            /** Unsafe */
            unsafe: boolean;
        };
        /**
         * Curve
         * @description Values by training step, at most 500 of them.
         */
        Curve: {
            /** Name */
            name: string;
            /** Points */
            points: [
                number,
                number
            ][];
        };
        /**
         * DataCounts
         * @description How many rows there are of the person, by table.
         */
        DataCounts: {
            /** Tables */
            tables: {
                [key: string]: number;
            };
        };
        /**
         * DecisionLog
         * @description The person's decisions, the newest first; `next` goes into `before`.
         */
        DecisionLog: {
            /** Decisions */
            decisions: components["schemas"]["DecisionView"][];
            /** Next */
            next: string | null;
        };
        /**
         * DecisionView
         * @description A decision about one of the person's pictures: why they were asked, or not. coin: null where none was thrown.
         *
         *     kind: "duel" for one to have two models compared; its `picture` is the pair.
         */
        DecisionView: {
            /** Asked */
            asked: boolean;
            /** At */
            at: string;
            /** Coin */
            coin: number | null;
            /** Confidence */
            confidence: number;
            /** Excluded */
            excluded: string;
            /** Id */
            id: string;
            /** Kind */
            kind: string;
            /** Outcome */
            outcome: string;
            /** Picture */
            picture: string;
            /** Probability */
            probability: number;
            /** Threshold */
            threshold: number;
            /** Weakest */
            weakest: string;
        };
        /**
         * DuelView
         * @description A pair as it lies.
         */
        DuelView: {
            /** Expires At */
            expires_at: string;
            /** Id */
            id: string;
            left: components["schemas"]["redraft__studio__routes__duels__Side"];
            /** Prompt */
            prompt: string | null;
            right: components["schemas"]["redraft__studio__routes__duels__Side"];
            /** Rules */
            rules: string[];
        };
        /**
         * Ended
         * @description How many sessions ended.
         */
        Ended: {
            /** Ended */
            ended: number;
        };
        /**
         * Erasing
         * @description The person's own name, typed, so that nobody erases themselves by a slip.
         */
        Erasing: {
            /** Name */
            name: string;
        };
        /**
         * ErrorBody
         * @description The body of every answer that is not a success.
         */
        ErrorBody: {
            error: components["schemas"]["ErrorDetail"];
        };
        /**
         * ErrorDetail
         * @description What was refused, in words for people, and names for programs.
         */
        ErrorDetail: {
            /** Code */
            code: string | null;
            /** Message */
            message: string;
            /** Param */
            param: string | null;
            /** Type */
            type: string;
        };
        /**
         * Extras
         * @description What the OpenAI API has no field for. `redraft generate` knows the same words.
         */
        Extras: {
            /** Again Of */
            again_of?: string | null;
            /**
             * Ask
             * @default auto
             * @enum {string}
             */
            ask: "auto" | "offline" | "never";
            /**
             * Critique
             * @default false
             */
            critique: boolean;
            /** Guidance */
            guidance?: number | null;
            /**
             * Negative Prompt
             * @default
             */
            negative_prompt: string;
            /** Seed */
            seed?: number | null;
            /** Steps */
            steps?: number | null;
        };
        /**
         * Favourite
         * @description Whether the picture is a favourite.
         */
        Favourite: {
            /** Favourite */
            favourite: boolean;
        };
        /**
         * FieldView
         * @description A field of a form. low, high, least, most belong to scales, least and most to an order, most to a text.
         */
        FieldView: {
            /**
             * High
             * @default
             */
            high: string;
            /** Label */
            label: string;
            /** Least */
            least?: number | null;
            /**
             * Low
             * @default
             */
            low: string;
            /** Most */
            most?: number | null;
            /** Name */
            name: string;
            /**
             * Options
             * @default []
             */
            options: components["schemas"]["OptionView"][];
            /** Required */
            required: boolean;
            /**
             * Type
             * @enum {string}
             */
            type: "scale" | "choice" | "several" | "flag" | "text" | "order";
        };
        /**
         * FollowUpView
         * @description What is asked besides when the mark is at most `at_most`.
         */
        FollowUpView: {
            /** At Most */
            at_most: number;
            /** Fields */
            fields: components["schemas"]["FieldView"][];
        };
        /**
         * FormsView
         * @description What is asked here, and how people are thanked.
         */
        FormsView: {
            /** Ask Form */
            ask_form: string;
            /** Forms */
            forms: components["schemas"]["FormView"][];
            /** Personal Profile */
            personal_profile: boolean;
            /** Preset */
            preset: string;
            /** Presets */
            presets: components["schemas"]["PresetName"][];
            /**
             * Reward
             * @enum {string}
             */
            reward: "points" | "badge" | "tier" | "ledger" | "none";
            /** Title */
            title: string;
        };
        /**
         * FormView
         * @description A form. mark: the field that is its one number, "mean" of the scales that were set, or null.
         */
        FormView: {
            /** Fields */
            fields: components["schemas"]["FieldView"][];
            follow_up: components["schemas"]["FollowUpView"] | null;
            /**
             * Kind
             * @enum {string}
             */
            kind: "picture" | "duel" | "ranking";
            /** Mark */
            mark: string | null;
            /** Name */
            name: string;
            /** Rules */
            rules: string[];
            /** Title */
            title: string;
        };
        /**
         * GalleryPage
         * @description A part of the gallery; `next` goes into `after`, null on the last page.
         */
        GalleryPage: {
            /** Next */
            next: string | null;
            /** Pictures */
            pictures: components["schemas"]["GalleryPicture"][];
        };
        /**
         * GalleryPicture
         * @description A picture with its request and the owner's own answers that count. prompt: null once it was forgotten.
         */
        GalleryPicture: {
            /** Again Of */
            again_of: string | null;
            /** Answers */
            answers: components["schemas"]["AnswerView"][];
            /** Base */
            base: string;
            /** Blurred */
            blurred: boolean;
            /** Checkpoint */
            checkpoint: string;
            /** Confidence */
            confidence: number | null;
            /** Created At */
            created_at: string;
            /** Facets */
            facets: {
                [key: string]: number;
            };
            /** Favourite */
            favourite: boolean;
            /** Guidance */
            guidance: number;
            /** Height */
            height: number;
            /** Id */
            id: string;
            /** Job */
            job: string;
            /** Model */
            model: string;
            /** Negative Prompt */
            negative_prompt: string | null;
            /** Place */
            place: number;
            /** Prompt */
            prompt: string | null;
            /** Request Id */
            request_id: string;
            /**
             * Safety
             * @enum {string}
             */
            safety: "ok" | "blurred" | "withheld" | "quarantined";
            /** Safety Reason */
            safety_reason: string;
            /** Seed */
            seed: number;
            /** Steps */
            steps: number;
            /** Terms */
            terms: {
                [key: string]: number;
            };
            /** Thumbnail Url */
            thumbnail_url: string;
            /** Unsafe */
            unsafe: boolean;
            /** Url */
            url: string;
            /** Weakest */
            weakest: string;
            /** Width */
            width: number;
        };
        /**
         * GenerationAnswer
         * @description The answer to a request for pictures.
         */
        GenerationAnswer: {
            /**
             * Background
             * @default opaque
             */
            background: string;
            /** Created */
            created: number;
            /** Data */
            data: components["schemas"]["PictureData"][];
            /**
             * Output Format
             * @enum {string}
             */
            output_format: "png" | "jpeg" | "webp";
            /** Quality */
            quality: string;
            /** Size */
            size: string;
            /**
             * @default {
             *       "input_tokens": 0,
             *       "input_tokens_details": {
             *         "image_tokens": 0,
             *         "text_tokens": 0
             *       },
             *       "output_tokens": 0,
             *       "total_tokens": 0
             *     }
             */
            usage: components["schemas"]["Usage"];
            x_redraft: components["schemas"]["RequestFacts"];
        };
        /**
         * GenerationBody
         * @description A request for pictures.
         */
        GenerationBody: {
            /** Background */
            background?: ("auto" | "opaque" | "transparent") | null;
            /** Model */
            model?: string | null;
            /** Moderation */
            moderation?: ("auto" | "low") | null;
            /** N */
            n?: number | null;
            /** Output Compression */
            output_compression?: number | null;
            /** Output Format */
            output_format?: ("png" | "jpeg" | "webp") | null;
            /** Partial Images */
            partial_images?: number | null;
            /** Prompt */
            prompt: string;
            /** Quality */
            quality?: ("auto" | "low" | "medium" | "high" | "xhigh" | "max" | "standard" | "hd") | null;
            /** Response Format */
            response_format?: ("url" | "b64_json") | null;
            /** Safety Identifier */
            safety_identifier?: string | null;
            /** Size */
            size?: string | null;
            /** Stream */
            stream?: boolean | null;
            /** Style */
            style?: string | null;
            /** User */
            user?: string | null;
            x_redraft?: components["schemas"]["Extras"] | null;
        };
        /**
         * Gold
         * @description A picture of one's own whose right answer is known: by field a value, or {"least": x, "most": y}.
         */
        Gold: {
            /**
             * Active
             * @default true
             */
            active: boolean;
            /** Expected */
            expected: {
                [key: string]: unknown;
            };
            /** Form */
            form: string;
            /** Picture */
            picture: string;
        };
        /**
         * GoldCount
         * @description How many pictures with a known answer the person was shown, and how many were answered so.
         */
        GoldCount: {
            /** Passed */
            passed: number;
            /** Seen */
            seen: number;
        };
        /**
         * GoldPage
         * @description Gold items, the newest first; `next` goes into `before`, null at the end.
         */
        GoldPage: {
            /** Gold */
            gold: components["schemas"]["GoldRecordView"][];
            /** Next */
            next: string | null;
        };
        /**
         * GoldRecordView
         * @description A gold item with its words and its picture. answers: that were judged, of which so many passed.
         */
        GoldRecordView: {
            /** Active */
            active: boolean;
            /** Answers */
            answers: number;
            /** Created At */
            created_at: string;
            /** Expected */
            expected: {
                [key: string]: unknown;
            };
            /** Form */
            form: string;
            /** Id */
            id: string;
            /** Passed */
            passed: number;
            /** Picture */
            picture: string;
            /** Prompt */
            prompt: string | null;
            /** Thumbnail Url */
            thumbnail_url: string;
        };
        /**
         * GoldView
         * @description A gold item.
         */
        GoldView: {
            /** Active */
            active: boolean;
            /** Created At */
            created_at: string;
            /** Expected */
            expected: {
                [key: string]: unknown;
            };
            /** Form */
            form: string;
            /** Id */
            id: string;
            /** Picture */
            picture: string;
        };
        /**
         * GridCell
         * @description One prompt painted by both models from the same noise.
         */
        GridCell: {
            /** After Url */
            after_url: string;
            /** Before Url */
            before_url: string;
            /** Prompt */
            prompt: string;
        };
        /**
         * Health
         * @description The process answers.
         */
        Health: {
            /** Status */
            status: string;
        };
        /**
         * HistogramView
         * @description How sure a model was of everybody's pictures, and where people disagreed.
         */
        HistogramView: {
            /** Base */
            base: string;
            /** Bins */
            bins: components["schemas"]["Bin"][];
            /** Checkpoint */
            checkpoint: string;
            /** Form */
            form: string;
        };
        /**
         * HistoryView
         * @description Every move of an alias, the newest first.
         */
        HistoryView: {
            /** History */
            history: components["schemas"]["LiveView"][];
        };
        /**
         * Invitation
         * @description What stands in the link.
         */
        Invitation: {
            /** Invitation */
            invitation: string;
        };
        /**
         * Invitations
         * @description Links, each for one participant.
         */
        Invitations: {
            /** Expires At */
            expires_at: string;
            /** Links */
            links: string[];
        };
        /**
         * InvitationView
         * @description An invitation; it serves once.
         */
        InvitationView: {
            /** Expires At */
            expires_at: string;
            /** Invitation */
            invitation: string;
            /** Url */
            url: string;
        };
        /**
         * InvitationWish
         * @description How many links, and how long they open the study.
         */
        InvitationWish: {
            /**
             * Count
             * @default 1
             */
            count: number;
            /**
             * Days
             * @default 30
             */
            days: number;
        };
        /**
         * Invited
         * @description People by the name that they log in by.
         */
        Invited: {
            /** Names */
            names: string[];
        };
        /**
         * JobFault
         * @description Why a job failed.
         */
        JobFault: {
            /** Code */
            code: string;
            /** Message */
            message: string;
        };
        /**
         * JobPage
         * @description Jobs, the newest first. next: where the following page begins; null on the last one.
         */
        JobPage: {
            /** Jobs */
            jobs: components["schemas"]["JobView"][];
            /** Next */
            next: string | null;
        };
        /**
         * JobView
         * @description A request of one person. Picture i has the seed `seed` + i.
         *
         *     position: pictures that are painted before its first one, null when it does not wait. step: of `steps`.
         */
        JobView: {
            /** Again Of */
            again_of: string | null;
            /** Base */
            base: string;
            /** Checkpoint */
            checkpoint: string;
            /** Created At */
            created_at: string;
            /** Critique */
            critique: boolean;
            error: components["schemas"]["JobFault"] | null;
            /** Finished At */
            finished_at: string | null;
            /** Guidance */
            guidance: number;
            /** Height */
            height: number;
            /** Id */
            id: string;
            /** Model */
            model: string;
            /** N */
            n: number;
            /** Negative Prompt */
            negative_prompt: string;
            /** Pictures */
            pictures: components["schemas"]["MadePicture"][];
            /** Position */
            position: number | null;
            /** Prompt */
            prompt: string | null;
            /** Seed */
            seed: number;
            /**
             * State
             * @enum {string}
             */
            state: "queued" | "running" | "finished" | "failed" | "cancelled";
            /** Step */
            step: number | null;
            /** Steps */
            steps: number;
            /** Width */
            width: number;
        };
        /**
         * JobWish
         * @description What is to be painted; what is left out is the model's own value. ask: "never" or "offline" asks nothing here.
         */
        JobWish: {
            /**
             * Again Of
             * @description the job that this one repeats because it did not please
             */
            again_of?: string | null;
            /**
             * Ask
             * @default auto
             * @enum {string}
             */
            ask: "auto" | "offline" | "never";
            /**
             * Critique
             * @description paint again, before showing, what the model is not sure of
             * @default false
             */
            critique: boolean;
            /** Guidance */
            guidance?: number | null;
            /**
             * Model
             * @default champion
             */
            model: string;
            /**
             * N
             * @default 1
             */
            n: number;
            /**
             * Negative Prompt
             * @default
             */
            negative_prompt: string;
            /** Prompt */
            prompt: string;
            /** Seed */
            seed?: number | null;
            /**
             * Size
             * @default auto
             */
            size: string;
            /** Steps */
            steps?: number | null;
        };
        /**
         * Joined
         * @description A participant's study, and the key that acts for them: "" in an open studio, where none is needed.
         */
        Joined: {
            /** Key */
            key: string;
            study: components["schemas"]["StudyView"];
        };
        /**
         * Kept
         * @description An answer that is on the disk. first: the person's first to this form about this subject, which earns points.
         */
        Kept: {
            /** First */
            first: boolean;
            /** Id */
            id: string;
            /**
             * Message
             * @default
             */
            message: string;
            /** Status */
            status: string;
        };
        /**
         * KeyList
         * @description A person's keys, revoked ones too, the oldest first.
         */
        KeyList: {
            /** Data */
            data: components["schemas"]["KeyView"][];
        };
        /**
         * KeyView
         * @description A key without its secret.
         */
        KeyView: {
            /** Created At */
            created_at: string;
            /** Expires At */
            expires_at: string | null;
            /** Id */
            id: string;
            /** Name */
            name: string;
            /** Prefix */
            prefix: string;
            /** Revoked At */
            revoked_at: string | null;
            /** Scopes */
            scopes: string[];
            /** Used At */
            used_at: string | null;
        };
        /**
         * LaidOut
         * @description Own pictures to lay on the table.
         */
        LaidOut: {
            /** Pictures */
            pictures: string[];
        };
        /**
         * Lease
         * @description What a device takes along. policy, wishes, memory: the fields of `redraft.feedback.asks`, by name.
         */
        Lease: {
            /** Expires At */
            expires_at: string;
            /** Form */
            form: string;
            /** Lease */
            lease: string;
            /** Memory */
            memory: {
                [key: string]: unknown;
            };
            /** Pictures */
            pictures: {
                [key: string]: components["schemas"]["LeasedPicture"];
            };
            /** Policy */
            policy: {
                [key: string]: unknown;
            };
            /** Reviewer */
            reviewer: boolean;
            /** Timezone */
            timezone: string;
            /** Wishes */
            wishes: {
                [key: string]: unknown;
            };
        };
        /**
         * LeasedPicture
         * @description What the rule must know of a picture.
         */
        LeasedPicture: {
            /** Coin */
            coin: number;
            /** Confidence */
            confidence: number | null;
            /** Unsafe */
            unsafe: boolean;
            /** Withheld */
            withheld: boolean;
        };
        /**
         * Leasing
         * @description The pictures that are taken along; about none of them was a decision made yet.
         */
        Leasing: {
            /** Pictures */
            pictures: string[];
        };
        /**
         * LiveView
         * @description Where an alias points since `at`. name: "base", or the first digits of the checkpoint.
         */
        LiveView: {
            /**
             * Alias
             * @enum {string}
             */
            alias: "champion" | "challenger" | "previous";
            /** At */
            at: string;
            /** Checkpoint */
            checkpoint: string;
            /** Name */
            name: string;
            /** Reason */
            reason: string;
        };
        /**
         * LoggedIn
         * @description A new session: its secret is in a cookie, the token for writes here and in another one.
         */
        LoggedIn: {
            /** Csrf Token */
            csrf_token: string;
            person: components["schemas"]["Me"];
        };
        /**
         * Login
         * @description A name and its password.
         */
        Login: {
            /** Name */
            name: string;
            /** Password */
            password: string;
        };
        /**
         * MadePicture
         * @description A picture with the question that comes with it, if one does.
         */
        MadePicture: {
            ask?: components["schemas"]["AskView"] | null;
            /** Base */
            base: string;
            /** Blurred */
            blurred: boolean;
            /** Checkpoint */
            checkpoint: string;
            /** Confidence */
            confidence: number | null;
            /** Created At */
            created_at: string;
            /** Facets */
            facets: {
                [key: string]: number;
            };
            /** Favourite */
            favourite: boolean;
            /** Id */
            id: string;
            /** Job */
            job: string;
            /** Place */
            place: number;
            /**
             * Safety
             * @enum {string}
             */
            safety: "ok" | "blurred" | "withheld" | "quarantined";
            /** Safety Reason */
            safety_reason: string;
            /** Seed */
            seed: number;
            /** Terms */
            terms: {
                [key: string]: number;
            };
            /** Thumbnail Url */
            thumbnail_url: string;
            /** Unsafe */
            unsafe: boolean;
            /** Url */
            url: string;
            /** Weakest */
            weakest: string;
        };
        /**
         * Me
         * @description A person to themselves.
         */
        Me: {
            /** Adult */
            adult: boolean;
            asking: components["schemas"]["AskingView"];
            consent: components["schemas"]["ConsentView"];
            /** Created At */
            created_at: string;
            /** Id */
            id: string;
            /** Name */
            name: string;
            /** Preferences */
            preferences: {
                [key: string]: unknown;
            };
            /** Roles */
            roles: string[];
            /** Scopes */
            scopes: string[];
            /** Trained Reviewer */
            trained_reviewer: boolean;
            /** Via */
            via: string;
        };
        /**
         * MethodOption
         * @description A method that a run may use.
         */
        MethodOption: {
            /** Name */
            name: string;
            /** Title */
            title: string;
        };
        /**
         * MetricView
         * @description One row of the examination: live model, candidate, paired difference with its 95 % interval.
         */
        MetricView: {
            /** Candidate */
            candidate: number;
            /** Difference */
            difference: number;
            /** High */
            high: number;
            /** Incumbent */
            incumbent: number;
            /** Low */
            low: number;
            /** Name */
            name: string;
            /** Role */
            role: string;
            /** Unit */
            unit: string;
        };
        /**
         * ModelsView
         * @description The models of this studio, and what a request may ask of them.
         *
         *     may_try: whether this person may paint with what was never champion, such as the challenger.
         */
        ModelsView: {
            /** Base */
            base: string;
            challenger: components["schemas"]["LiveView"] | null;
            champion: components["schemas"]["LiveView"] | null;
            /** Guidance */
            guidance: number;
            /** Longest Prompt */
            longest_prompt: number;
            /** May Try */
            may_try: boolean;
            /** Most Guidance */
            most_guidance: number;
            /** Most Pictures */
            most_pictures: number;
            /** Most Steps */
            most_steps: number;
            previous: components["schemas"]["LiveView"] | null;
            serving: components["schemas"]["ServingView"];
            /** Sizes */
            sizes: string[];
            /** Steps */
            steps: number;
        };
        /**
         * NewInvitation
         * @description An invitation to be made.
         */
        NewInvitation: {
            /** Days */
            days?: number | null;
            /** Roles */
            roles?: string[];
        };
        /**
         * NewKey
         * @description A key to be made; it can do no more than its owner, and no more than who makes it.
         */
        NewKey: {
            /** Expires In Days */
            expires_in_days?: number | null;
            /** Name */
            name: string;
            /** Scopes */
            scopes: string[];
        };
        /**
         * NewKeyView
         * @description A new key; nobody sees its secret again.
         */
        NewKeyView: {
            /** Created At */
            created_at: string;
            /** Expires At */
            expires_at: string | null;
            /** Id */
            id: string;
            /** Name */
            name: string;
            /** Prefix */
            prefix: string;
            /** Revoked At */
            revoked_at: string | null;
            /** Scopes */
            scopes: string[];
            /** Secret */
            secret: string;
            /** Used At */
            used_at: string | null;
        };
        /**
         * NewPassword
         * @description The password of now, and the one to come.
         */
        NewPassword: {
            /** New */
            new: string;
            /** Old */
            old: string;
        };
        /**
         * NewRoom
         * @description A session to open.
         */
        NewRoom: {
            /** Title */
            title: string;
        };
        /**
         * NewStudy
         * @description A study to make. each: pairs of a participant. repeats: of these, shown again. accounts: open to all accounts.
         */
        NewStudy: {
            /**
             * Accounts
             * @default true
             */
            accounts: boolean;
            /**
             * Each
             * @default 20
             */
            each: number;
            /**
             * Introduction
             * @default
             */
            introduction: string;
            /** Pairs */
            pairs: components["schemas"]["OwnPair"][];
            /**
             * Repeats
             * @default 3
             */
            repeats: number;
            /** Title */
            title: string;
        };
        /**
         * NewUser
         * @description An account to be made. Without a password nobody logs in until one is set on the command line.
         */
        NewUser: {
            /** Name */
            name: string;
            /** Password */
            password?: string | null;
            /** Roles */
            roles?: string[];
        };
        /**
         * NextDuel
         * @description The pair to judge, or null when every pair was given.
         */
        NextDuel: {
            duel: components["schemas"]["DuelView"] | null;
        };
        /**
         * NextPair
         * @description The pair to judge, or null when all are.
         */
        NextPair: {
            pair: components["schemas"]["PairView"] | null;
            study: components["schemas"]["StudyView"];
        };
        /**
         * NextRanking
         * @description The pictures to put in order, or null.
         */
        NextRanking: {
            ranking: components["schemas"]["RankingView"] | null;
        };
        /**
         * NextReview
         * @description The picture to rate, or null when everything is rated.
         */
        NextReview: {
            review: components["schemas"]["ReviewView"] | null;
        };
        /**
         * NextTier
         * @description The tier after it.
         */
        NextTier: {
            /** Begins */
            begins: number;
            /** Name */
            name: string;
        };
        /**
         * OfflineDecision
         * @description A decision that a device made. id: a UUID of version 7 made there; at: by its clock.
         */
        OfflineDecision: {
            /** At */
            at: string;
            /** Id */
            id: string;
            /** Picture */
            picture: string;
            /**
             * Session
             * @default
             */
            session: string;
        };
        /**
         * OptionView
         * @description One of several answers. key: the key of a keyboard that gives it.
         */
        OptionView: {
            /** Key */
            key: string;
            /** Label */
            label: string;
            /** Value */
            value: string;
        };
        /**
         * Outcomes
         * @description What became of each answer, in the order in which they were sent.
         */
        Outcomes: {
            /** Outcomes */
            outcomes: components["schemas"]["AnswerOutcome"][];
        };
        /**
         * OwnPair
         * @description Two pictures of one's own gallery, painted for the same words by two models.
         */
        OwnPair: {
            /** First */
            first: string;
            /** Second */
            second: string;
        };
        /**
         * PairView
         * @description A pair as it lies, the `place`-th (from 0) of `of`. questions: those that are still open.
         */
        PairView: {
            /** Assignment */
            assignment: string;
            left: components["schemas"]["redraft__studio__routes__studies__Side"];
            /** Of */
            of: number;
            /** Place */
            place: number;
            /** Prompt */
            prompt: string;
            /** Questions */
            questions: components["schemas"]["Question"][];
            right: components["schemas"]["redraft__studio__routes__studies__Side"];
        };
        /**
         * PendingAsk
         * @description The newest ask about a picture that waits, or null. duel: a pair waits too, which /api/v1/duels/next gives.
         */
        PendingAsk: {
            ask: components["schemas"]["AskView"] | null;
            /**
             * Duel
             * @default false
             */
            duel: boolean;
        };
        /**
         * PictureData
         * @description One picture: its bytes or its address, and ours about it.
         */
        PictureData: {
            /** B64 Json */
            b64_json?: string | null;
            /** Url */
            url?: string | null;
            x_redraft: components["schemas"]["MadePicture"];
        };
        /**
         * PointEntries
         * @description The person's entries, the newest first; `next` goes into `before`.
         */
        PointEntries: {
            /** Entries */
            entries: components["schemas"]["PointEntryView"][];
            /** Next */
            next: number | null;
        };
        /**
         * PointEntryView
         * @description One event of an award. award: the id of the answer. reason: in words, for the person.
         */
        PointEntryView: {
            /** At */
            at: string;
            /** Award */
            award: string;
            /** Day */
            day: string;
            /** Final */
            final: number;
            /** Id */
            id: number;
            /** Pending */
            pending: number;
            /** Place */
            place: number;
            /** Reason */
            reason: string;
            /** State */
            state: string;
        };
        /**
         * PointsView
         * @description final counts for tiers; pending becomes final, or not, one to three days after the answer.
         */
        PointsView: {
            /** Final */
            final: number;
            /** Pending */
            pending: number;
        };
        /**
         * PresetName
         * @description A shipped preset.
         */
        PresetName: {
            /** Name */
            name: string;
            /** Title */
            title: string;
        };
        /**
         * ProfileView
         * @description The person's profile. points, tier, next_tier and today are null where this studio has none.
         */
        ProfileView: {
            asks: components["schemas"]["BudgetView"];
            next_tier: components["schemas"]["NextTier"] | null;
            points: components["schemas"]["PointsView"] | null;
            quota: components["schemas"]["QuotaView"];
            /** Reward */
            reward: string;
            tier: components["schemas"]["TierView"] | null;
            today: components["schemas"]["TodayView"] | null;
            trying: components["schemas"]["TryingView"];
        };
        /**
         * ProgressView
         * @description How far a run is: its stage, the share of it that is done, and words.
         */
        ProgressView: {
            /** Share */
            share: number;
            /** Stage */
            stage: string;
            /** Words */
            words: string;
        };
        /**
         * Promotion
         * @description Which checkpoint becomes the champion: its id, four or more of its first digits, or "challenger".
         */
        Promotion: {
            /** Checkpoint */
            checkpoint: string;
            /**
             * Reason
             * @default
             */
            reason: string;
        };
        /**
         * PromptRepeats
         * @description One prompt, unnamed: how often it was requested, and how many of these were to do it again.
         */
        PromptRepeats: {
            /** Again */
            again: number;
            /** Requests */
            requests: number;
        };
        /**
         * Question
         * @description What is asked about a pair.
         */
        Question: {
            /** Name */
            name: string;
            /** Text */
            text: string;
        };
        /**
         * QuotaView
         * @description Pictures a day, without and with the tier's perk.
         */
        QuotaView: {
            /** Daily */
            daily: number;
            /** With Tier */
            with_tier: number;
        };
        /**
         * RankingView
         * @description Pictures to put in order, in random order. id: the subject of the answer.
         */
        RankingView: {
            /** Id */
            id: string;
            /** Pictures */
            pictures: components["schemas"]["redraft__studio__routes__duels__Side"][];
            /** Prompt */
            prompt: string | null;
            /** Rules */
            rules: string[];
        };
        /**
         * RaterView
         * @description What the person's answers weigh, and why, in words.
         */
        RaterView: {
            /** Agreement */
            agreement: number | null;
            /** Answers */
            answers: number;
            gold: components["schemas"]["GoldCount"];
            /** Median Seconds */
            median_seconds: number | null;
            /** Notes */
            notes: string[];
            /** Spread */
            spread: number | null;
            /** Weight */
            weight: number;
        };
        /**
         * Readiness
         * @description Whether the parts answer; ready when all do.
         */
        Readiness: {
            /** Checks */
            checks: {
                [key: string]: boolean;
            };
            /** Status */
            status: string;
        };
        /**
         * ReceiptView
         * @description What was removed, and which runs and checkpoints had learned from the person before.
         */
        ReceiptView: {
            /** At */
            at: string;
            /** Checkpoints */
            checkpoints: string[];
            /** Receipt */
            receipt: string;
            /** Removed */
            removed: {
                [key: string]: number;
            };
            /** Runs */
            runs: string[];
        };
        /**
         * RecipeOption
         * @description How much a run does.
         */
        RecipeOption: {
            /** Name */
            name: string;
            /** Title */
            title: string;
        };
        /**
         * Side
         * @description A picture without a word of which model made it.
         */
        redraft__studio__routes__duels__Side: {
            /** Height */
            height: number;
            /** Picture Id */
            picture_id: string;
            /** Url */
            url: string;
            /** Width */
            width: number;
        };
        /**
         * Side
         * @description One picture of a pair.
         */
        redraft__studio__routes__studies__Side: {
            /** Height */
            height: number;
            /** Url */
            url: string;
            /** Width */
            width: number;
        };
        /**
         * RepeatsView
         * @description The prompts that were to be done again most often, the worst first, and how many there were in all of these.
         */
        RepeatsView: {
            /** Again */
            again: number;
            /** Repeats */
            repeats: components["schemas"]["PromptRepeats"][];
            /** Requests */
            requests: number;
        };
        /**
         * Reports
         * @description A person's own appeals and reports, the newest first.
         */
        Reports: {
            /** Reports */
            reports: components["schemas"]["ReportView"][];
        };
        /**
         * ReportView
         * @description An appeal or a report, and what came of it.
         */
        ReportView: {
            /** Created At */
            created_at: string;
            /** Id */
            id: string;
            /**
             * Kind
             * @enum {string}
             */
            kind: "appeal" | "report";
            /** Picture */
            picture: string;
            /** Resolved At */
            resolved_at: string | null;
            /**
             * State
             * @enum {string}
             */
            state: "open" | "granted" | "refused";
            /** Text */
            text: string;
        };
        /**
         * RequestFacts
         * @description How the pictures of a request were made.
         */
        RequestFacts: {
            /** Base */
            base: string;
            /** Checkpoint */
            checkpoint: string;
            /** Guidance */
            guidance: number;
            /** Job */
            job: string;
            /** Model */
            model: string;
            /** Seed */
            seed: number;
            /** Steps */
            steps: number;
        };
        /**
         * Resolution
         * @description What a moderator decides.
         */
        Resolution: {
            /**
             * State
             * @enum {string}
             */
            state: "granted" | "refused";
        };
        /**
         * Reversal
         * @description Why an award is taken back, in words for the person.
         */
        Reversal: {
            /** Reason */
            reason: string;
        };
        /**
         * ReviewView
         * @description A picture to rate; the token goes back with the answer.
         */
        ReviewView: {
            /** Form */
            form: string;
            picture: components["schemas"]["AskedPicture"];
            /** Token */
            token: string;
        };
        /**
         * Rollback
         * @description Why the champion before is served again.
         */
        Rollback: {
            /**
             * Reason
             * @default
             */
            reason: string;
        };
        /**
         * RoomDetail
         * @description A session with its members, by name, and the pictures on its table.
         */
        RoomDetail: {
            /** Closed At */
            closed_at: string | null;
            /** Created At */
            created_at: string;
            /** Id */
            id: string;
            /** Members */
            members: string[];
            /** Own */
            own: boolean;
            /** Pictures */
            pictures: components["schemas"]["AskedPicture"][];
            /** Title */
            title: string;
        };
        /**
         * RoomList
         * @description The sessions a person was invited to, the newest first.
         */
        RoomList: {
            /** Rooms */
            rooms: components["schemas"]["RoomView"][];
        };
        /**
         * RoomView
         * @description A critique session. own: the person opened it.
         */
        RoomView: {
            /** Closed At */
            closed_at: string | null;
            /** Created At */
            created_at: string;
            /** Id */
            id: string;
            /** Own */
            own: boolean;
            /** Title */
            title: string;
        };
        /**
         * RunDetail
         * @description A run with everything the page draws. resumed: how often another worker went on with it.
         */
        RunDetail: {
            /** Cancelling */
            cancelling: boolean;
            /** Checkpoint */
            checkpoint: string;
            /** Config */
            config: {
                [key: string]: string;
            };
            /** Created At */
            created_at: string;
            /** Curves */
            curves: components["schemas"]["Curve"][];
            /** Error */
            error: string;
            /** Finished At */
            finished_at: string | null;
            /** Grid */
            grid: components["schemas"]["GridCell"][];
            /** Id */
            id: string;
            /** Kind */
            kind: string;
            /** Method */
            method: string;
            /** Metrics */
            metrics: components["schemas"]["MetricView"][];
            /** Mine */
            mine: boolean;
            /** Model */
            model: string;
            progress: components["schemas"]["ProgressView"];
            /** Promoted */
            promoted: boolean;
            /** Reasons */
            reasons: string[];
            /** Report Url */
            report_url: string | null;
            /** Resumed */
            resumed: number;
            /** Stages */
            stages: components["schemas"]["StageView"][];
            /** Started At */
            started_at: string | null;
            /**
             * State
             * @enum {string}
             */
            state: "queued" | "running" | "finished" | "failed" | "cancelled";
            /** Stopped By */
            stopped_by: string | null;
            /** Title */
            title: string;
            /** Verdict */
            verdict: ("promote" | "hold" | "reject") | null;
        };
        /**
         * RunOptions
         * @description What a run may be told.
         */
        RunOptions: {
            /** Methods */
            methods: components["schemas"]["MethodOption"][];
            /** Models */
            models: string[];
            /** Recipes */
            recipes: components["schemas"]["RecipeOption"][];
        };
        /**
         * RunOrder
         * @description What is to be run. `train` never moves the champion.
         */
        RunOrder: {
            /**
             * Facets
             * @description instead of `reward`: the six facets of this scorer
             */
            facets?: string | null;
            /**
             * Kind
             * @default improve
             * @enum {string}
             */
            kind: "improve" | "train";
            /**
             * Method
             * @description a method or a preset of one
             * @default nft
             */
            method: string;
            /**
             * Model
             * @description a model that the studio allows
             * @default builtin:sd
             */
            model: string;
            /**
             * Pairs
             * @description dpo: what people chose in this workspace
             */
            pairs?: "answers" | null;
            /**
             * Promote
             * @description move the champion when the gate says so; never with `train`
             * @default true
             */
            promote: boolean;
            /**
             * Recipe
             * @description how much of the method's own recipe: "" all of it, "short" less, "long" twice as much
             * @default
             * @enum {string}
             */
            recipe: "" | "short" | "long";
            /**
             * Reward
             * @description scorers with their weights
             */
            reward?: {
                [key: string]: number;
            };
            /** Rounds */
            rounds?: number | null;
            /**
             * Seed
             * @default 0
             */
            seed: number;
            /**
             * Steps
             * @description sampling steps
             */
            steps?: number | null;
            /**
             * Train Steps
             * @description optimizer steps of each round
             */
            train_steps?: number | null;
        };
        /**
         * RunPage
         * @description Runs, the newest first. next: where the following page begins; null on the last one.
         */
        RunPage: {
            /** Next */
            next: string | null;
            /** Runs */
            runs: components["schemas"]["RunView"][];
        };
        /**
         * RunView
         * @description A run, or what was ordered to become one. cancelling: it was asked to stop. mine: this person ordered it.
         */
        RunView: {
            /** Cancelling */
            cancelling: boolean;
            /** Created At */
            created_at: string;
            /** Error */
            error: string;
            /** Finished At */
            finished_at: string | null;
            /** Id */
            id: string;
            /** Kind */
            kind: string;
            /** Method */
            method: string;
            /** Mine */
            mine: boolean;
            /** Model */
            model: string;
            progress: components["schemas"]["ProgressView"];
            /** Reasons */
            reasons: string[];
            /** Started At */
            started_at: string | null;
            /**
             * State
             * @enum {string}
             */
            state: "queued" | "running" | "finished" | "failed" | "cancelled";
            /** Stopped By */
            stopped_by: string | null;
            /** Title */
            title: string;
            /** Verdict */
            verdict: ("promote" | "hold" | "reject") | null;
        };
        /**
         * SentAnswer
         * @description An answer as a client sends it. id: a UUID of version 7 that the client makes; sending it again does no harm.
         *
         *     revision_of: the earlier answer that it takes the place of; retracted: it only takes that one back. created_at: the
         *     client's clock. lead_ms: from seeing to answering.
         */
        SentAnswer: {
            /** Created At */
            created_at: string;
            /** Form */
            form: string;
            /** Id */
            id: string;
            /**
             * Kind
             * @enum {string}
             */
            kind: "picture" | "duel" | "ranking";
            /** Lead Ms */
            lead_ms?: number | null;
            /** Payload */
            payload?: {
                [key: string]: unknown;
            };
            /**
             * Retracted
             * @default false
             */
            retracted: boolean;
            /** Revision Of */
            revision_of?: string | null;
            /** Subject */
            subject: string;
            /** Token */
            token?: string | null;
        };
        /**
         * SentChoice
         * @description One choice. lead_ms: how long the pair was looked at.
         */
        SentChoice: {
            /** Assignment */
            assignment: string;
            /**
             * Choice
             * @enum {string}
             */
            choice: "left" | "right";
            /** Created At */
            created_at: string;
            /** Lead Ms */
            lead_ms?: number | null;
            /** Question */
            question: string;
        };
        /**
         * SentChoices
         * @description Choices, in any order.
         */
        SentChoices: {
            /** Answers */
            answers: components["schemas"]["SentChoice"][];
        };
        /**
         * ServedModel
         * @description A name that requests may give as their model. created: since when it stands for what it does.
         */
        ServedModel: {
            /** Created */
            created: number;
            /** Id */
            id: string;
            /**
             * Object
             * @default model
             * @constant
             */
            object: "model";
            /**
             * Owned By
             * @default redraft
             */
            owned_by: string;
        };
        /**
         * ServedModels
         * @description All of them.
         */
        ServedModels: {
            /** Data */
            data: components["schemas"]["ServedModel"][];
            /**
             * Object
             * @default list
             * @constant
             */
            object: "list";
        };
        /**
         * ServingView
         * @description What the engine does. waiting: pictures of all people.
         */
        ServingView: {
            /** Calibrated */
            calibrated: boolean;
            /** Checkpoint */
            checkpoint: string;
            /** Loaded */
            loaded: string[];
            /** Message */
            message: string;
            /**
             * State
             * @enum {string}
             */
            state: "starting" | "ready" | "restarting" | "failed" | "closed";
            /** Waiting */
            waiting: number;
        };
        /**
         * SessionList
         * @description A person's sessions, the newest first.
         */
        SessionList: {
            /** Data */
            data: components["schemas"]["SessionView"][];
        };
        /**
         * SessionState
         * @description Who is asking, and how one gets in.
         */
        SessionState: {
            /** Authentication */
            authentication: string;
            /** Csrf Cookie */
            csrf_cookie: string;
            /** Invitations */
            invitations: boolean;
            /** Oidc */
            oidc: boolean;
            person: components["schemas"]["Me"] | null;
            /** Setup Needed */
            setup_needed: boolean;
            /** Version */
            version: string;
        };
        /**
         * SessionView
         * @description A session, for the person to know it by.
         */
        SessionView: {
            /** Created At */
            created_at: string;
            /** Current */
            current: boolean;
            /** Expires At */
            expires_at: string;
            /** Id */
            id: string;
            /** Label */
            label: string;
            /** Seen At */
            seen_at: string;
        };
        /**
         * Setup
         * @description The first administrator; `token` is what the studio printed at its start.
         */
        Setup: {
            /** Name */
            name: string;
            /** Password */
            password: string;
            /** Token */
            token: string;
        };
        /**
         * Share
         * @description A share with its 95 % interval.
         */
        Share: {
            /** High */
            high: number;
            /** Low */
            low: number;
            /** Value */
            value: number;
        };
        /**
         * SignUp
         * @description An account by invitation.
         */
        SignUp: {
            /** Invitation */
            invitation: string;
            /** Name */
            name: string;
            /** Password */
            password: string;
        };
        /**
         * StageView
         * @description One entry of a run's ledger.
         */
        StageView: {
            /** At */
            at: string;
            /** Stage */
            stage: string;
            /**
             * Status
             * @enum {string}
             */
            status: "started" | "finished";
        };
        /**
         * StudyList
         * @description The studies of a participant.
         */
        StudyList: {
            /** Studies */
            studies: components["schemas"]["StudyView"][];
        };
        /**
         * StudyReportView
         * @description The table of a study. left_out: people whose answers were not steady enough to be counted.
         */
        StudyReportView: {
            checks: components["schemas"]["ChecksView"];
            /** Comparisons */
            comparisons: components["schemas"]["Comparison"][];
            /** Left Out */
            left_out: number;
            study: components["schemas"]["StudyRow"];
        };
        /**
         * StudyRow
         * @description A study as its operators see it. pairs: without those that come again. finished: people who answered all.
         */
        StudyRow: {
            /** Answered */
            answered: number;
            /** Closed At */
            closed_at: string | null;
            /** Created At */
            created_at: string;
            /** Finished */
            finished: number;
            /** Id */
            id: string;
            /** Pairs */
            pairs: number;
            /** Participants */
            participants: number;
            /**
             * State
             * @enum {string}
             */
            state: "open" | "closed";
            /** Title */
            title: string;
        };
        /**
         * StudyRows
         * @description All studies, the newest first.
         */
        StudyRows: {
            /** Studies */
            studies: components["schemas"]["StudyRow"][];
        };
        /**
         * StudyView
         * @description A study as a participant sees it. given, answered: pairs; given 0: not begun yet.
         */
        StudyView: {
            /** Answered */
            answered: number;
            /** Given */
            given: number;
            /** Id */
            id: string;
            /** Introduction */
            introduction: string;
            /** Questions */
            questions: components["schemas"]["Question"][];
            /**
             * State
             * @enum {string}
             */
            state: "open" | "closed";
            /** Title */
            title: string;
        };
        /**
         * Synced
         * @description What the server found for each decision, and the budget that is left.
         */
        Synced: {
            budget: components["schemas"]["BudgetView"];
            /** Decisions */
            decisions: components["schemas"]["SyncedDecision"][];
        };
        /**
         * SyncedDecision
         * @description What the server found. token: for the answer, where the person was asked.
         */
        SyncedDecision: {
            /** Asked */
            asked: boolean;
            /** Id */
            id: string;
            /**
             * Message
             * @default
             */
            message: string;
            /** Picture */
            picture: string;
            /**
             * Status
             * @enum {string}
             */
            status: "stored" | "known" | "refused";
            /** Token */
            token: string | null;
        };
        /**
         * Syncing
         * @description Decisions made offline, in the order in which they were made.
         */
        Syncing: {
            /** Decisions */
            decisions: components["schemas"]["OfflineDecision"][];
            /** Lease */
            lease: string;
        };
        /**
         * TasteView
         * @description What the person's marks tell. likes: by facet, its mean in liked pictures less that in the others.
         */
        TasteView: {
            /** Answers */
            answers: number;
            /** Enough */
            enough: boolean;
            /** Fitted */
            fitted: boolean;
            /** Likes */
            likes: {
                [key: string]: number;
            };
        };
        /**
         * TierView
         * @description A tier. open: whether its perks are granted to the person yet.
         */
        TierView: {
            /** Begins */
            begins: number;
            /** Name */
            name: string;
            /** Open */
            open: boolean;
            /** Perks */
            perks: string[];
        };
        /**
         * TodayView
         * @description Today's reviews, and what the next one is worth.
         */
        TodayView: {
            /** Formula */
            formula: string;
            /** Next Worth */
            next_worth: number;
            /** Reviews */
            reviews: number;
        };
        /**
         * TokenDetails
         * @description Always zero: pictures are not counted in tokens here; typed clients want the fields.
         */
        TokenDetails: {
            /**
             * Image Tokens
             * @default 0
             */
            image_tokens: number;
            /**
             * Text Tokens
             * @default 0
             */
            text_tokens: number;
        };
        /**
         * TrialAnswer
         * @description The trial, or null where there is no challenger.
         */
        TrialAnswer: {
            trial: components["schemas"]["TrialView"] | null;
        };
        /**
         * TrialView
         * @description What people said in blind duels of the challenger with the champion; see docs/improve.md.
         *
         *     champion, challenger: checkpoints, "" for the base. pairs: that were given. people: whose votes count. low, high:
         *     the confidence sequence of win_rate. evidence: that the challenger is better, against: that it is worse.
         */
        TrialView: {
            /** Against */
            against: number;
            /** Answers */
            answers: number;
            /** Challenger */
            challenger: string;
            /** Champion */
            champion: string;
            /**
             * Decision
             * @enum {string}
             */
            decision: "promote" | "hold" | "reject";
            /** Evidence */
            evidence: number;
            /** High */
            high: number;
            /** Left Out */
            left_out: number;
            /** Low */
            low: number;
            /** Pairs */
            pairs: number;
            /** People */
            people: number;
            /** Reasons */
            reasons: string[];
            /** Trial */
            trial: number;
            /** Win Rate */
            win_rate: number;
        };
        /**
         * TryingView
         * @description Painting with what was never champion. allowed: the tier allows it. on: it is switched on, by a preference.
         */
        TryingView: {
            /** Allowed */
            allowed: boolean;
            /** On */
            on: boolean;
        };
        /**
         * Usage
         * @description Always zero, as above.
         */
        Usage: {
            /**
             * Input Tokens
             * @default 0
             */
            input_tokens: number;
            /**
             * @default {
             *       "image_tokens": 0,
             *       "text_tokens": 0
             *     }
             */
            input_tokens_details: components["schemas"]["TokenDetails"];
            /**
             * Output Tokens
             * @default 0
             */
            output_tokens: number;
            /**
             * Total Tokens
             * @default 0
             */
            total_tokens: number;
        };
        /**
         * UserChange
         * @description What of an account is to change; what is left out stays.
         */
        UserChange: {
            /** Adult */
            adult?: boolean | null;
            /** Disabled */
            disabled?: boolean | null;
            /** Roles */
            roles?: string[] | null;
            /** Trained Reviewer */
            trained_reviewer?: boolean | null;
        };
        /**
         * UserList
         * @description A page of accounts; `next` goes into `after`.
         */
        UserList: {
            /** Data */
            data: components["schemas"]["UserView"][];
            /** Next */
            next: string | null;
        };
        /**
         * UserView
         * @description An account as administrators see it.
         */
        UserView: {
            /** Adult */
            adult: boolean;
            /** Created At */
            created_at: string;
            /** Disabled */
            disabled: boolean;
            /** Id */
            id: string;
            /** Name */
            name: string;
            /** Roles */
            roles: string[];
            /** Trained Reviewer */
            trained_reviewer: boolean;
        };
        /**
         * WaitingReport
         * @description A report that waits for a moderator, with a link to the picture as it is. safety_reason: why it is blurred.
         */
        WaitingReport: {
            /** Created At */
            created_at: string;
            /** Id */
            id: string;
            /**
             * Kind
             * @enum {string}
             */
            kind: "appeal" | "report";
            /** Picture */
            picture: string;
            /** Picture Url */
            picture_url: string;
            /** Resolved At */
            resolved_at: string | null;
            /** Safety Reason */
            safety_reason: string;
            /**
             * State
             * @enum {string}
             */
            state: "open" | "granted" | "refused";
            /** Text */
            text: string;
        };
        /**
         * WaitingReports
         * @description What waits for a moderator, the oldest first.
         */
        WaitingReports: {
            /** Reports */
            reports: components["schemas"]["WaitingReport"][];
        };
        /**
         * Words
         * @description Why, in the person's own words.
         */
        Words: {
            /**
             * Text
             * @default
             */
            text: string;
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    own_answers_api_v1_answers_get: {
        parameters: {
            query?: {
                before?: number | null;
                form?: string | null;
                limit?: number;
                subject?: string | null;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AnswerPage"];
                };
            };
        };
    };
    send_answer_api_v1_answers_post: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["SentAnswer"];
            };
        };
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Known already. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Kept"];
                };
            };
            /** @description Successful Response */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Kept"];
                };
            };
        };
    };
    send_answers_api_v1_answers_bulk_post: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Bulk"];
            };
        };
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Outcomes"];
                };
            };
        };
    };
    decline_api_v1_asks__id__decline_post: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Successful Response */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    budget_api_v1_asks_budget_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BudgetView"];
                };
            };
        };
    };
    lease_api_v1_asks_lease_post: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Leasing"];
            };
        };
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Lease"];
                };
            };
        };
    };
    decisions_api_v1_asks_log_get: {
        parameters: {
            query?: {
                before?: string | null;
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DecisionLog"];
                };
            };
        };
    };
    pending_api_v1_asks_pending_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PendingAsk"];
                };
            };
        };
    };
    statistics_api_v1_asks_statistics_get: {
        parameters: {
            query?: {
                days?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AskStatistics"];
                };
            };
        };
    };
    sync_api_v1_asks_sync_post: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Syncing"];
            };
        };
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Synced"];
                };
            };
        };
    };
    audit_api_v1_audit_get: {
        parameters: {
            query?: {
                before?: number | null;
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AuditList"];
                };
            };
        };
    };
    duel_api_v1_duels_next_get: {
        parameters: {
            query?: {
                experiment?: string | null;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["NextDuel"];
                };
            };
        };
    };
    forms_api_v1_forms_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["FormsView"];
                };
            };
        };
    };
    gallery_api_v1_gallery_get: {
        parameters: {
            query?: {
                after?: string | null;
                answered?: boolean | null;
                checkpoint?: string | null;
                favourite?: boolean | null;
                form?: string | null;
                high?: number | null;
                least_mark?: number | null;
                limit?: number;
                low?: number | null;
                model?: string | null;
                most_mark?: number | null;
                /** @description newest, confidence or a facet, the least first */
                order?: string;
                safety?: ("ok" | "blurred" | "withheld" | "quarantined") | null;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["GalleryPage"];
                };
            };
        };
    };
    one_picture_api_v1_gallery__id__get: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["GalleryPicture"];
                };
            };
        };
    };
    erase_picture_api_v1_gallery__id__delete: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Successful Response */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    appeal_api_v1_gallery__id__appeal_post: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Words"];
            };
        };
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description One that waits already. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ReportView"];
                };
            };
            /** @description Successful Response */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ReportView"];
                };
            };
        };
    };
    set_favourite_api_v1_gallery__id__favourite_put: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Favourite"];
            };
        };
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Successful Response */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    report_api_v1_gallery__id__report_post: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Words"];
            };
        };
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description One that waits already. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ReportView"];
                };
            };
            /** @description Successful Response */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ReportView"];
                };
            };
        };
    };
    gold_items_api_v1_gold_get: {
        parameters: {
            query?: {
                before?: string | null;
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["GoldPage"];
                };
            };
        };
    };
    put_gold_api_v1_gold_put: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Gold"];
            };
        };
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Successful Response */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["GoldView"];
                };
            };
        };
    };
    gold_api_v1_gold__picture__get: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                picture: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["GoldView"];
                };
            };
        };
    };
    invite_api_v1_invitations_post: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewInvitation"];
            };
        };
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Successful Response */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["InvitationView"];
                };
            };
        };
    };
    list_jobs_api_v1_jobs_get: {
        parameters: {
            query?: {
                cursor?: string | null;
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["JobPage"];
                };
            };
        };
    };
    create_job_api_v1_jobs_post: {
        parameters: {
            query?: never;
            header?: {
                "idempotency-key"?: string | null;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["JobWish"];
            };
        };
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Successful Response */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["JobView"];
                };
            };
        };
    };
    get_job_api_v1_jobs__id__get: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["JobView"];
                };
            };
        };
    };
    cancel_job_api_v1_jobs__id__delete: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["JobView"];
                };
            };
        };
    };
    follow_job_api_v1_jobs__id__events_get: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/event-stream": string;
                };
            };
        };
    };
    keys_api_v1_keys_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["KeyList"];
                };
            };
        };
    };
    create_key_api_v1_keys_post: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewKey"];
            };
        };
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Successful Response */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["NewKeyView"];
                };
            };
        };
    };
    revoke_key_api_v1_keys__id__delete: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Successful Response */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    login_api_v1_login_post: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Login"];
            };
        };
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LoggedIn"];
                };
            };
        };
    };
    logout_api_v1_logout_post: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Successful Response */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    me_api_v1_me_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Me"];
                };
            };
        };
    };
    change_me_api_v1_me_patch: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Change"];
            };
        };
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Me"];
                };
            };
        };
    };
    change_password_api_v1_me_password_post: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewPassword"];
            };
        };
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LoggedIn"];
                };
            };
        };
    };
    sessions_api_v1_me_sessions_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SessionList"];
                };
            };
        };
    };
    end_sessions_api_v1_me_sessions_delete: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Ended"];
                };
            };
        };
    };
    end_session_api_v1_me_sessions__id__delete: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Successful Response */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    get_models_api_v1_models_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ModelsView"];
                };
            };
        };
    };
    get_histogram_api_v1_models__model__histogram_get: {
        parameters: {
            query?: {
                bins?: number;
                days?: number | null;
                form?: string;
                /** @description a mark at most so good is bad */
                low_mark?: number;
            };
            header?: never;
            path: {
                model: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["HistogramView"];
                };
            };
        };
    };
    put_challenger_api_v1_models_challenger_put: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Candidate"];
            };
        };
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TrialAnswer"];
                };
            };
        };
    };
    get_duels_api_v1_models_duels_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TrialAnswer"];
                };
            };
        };
    };
    get_history_api_v1_models_history_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["HistoryView"];
                };
            };
        };
    };
    promote_api_v1_models_promote_post: {
        parameters: {
            query?: never;
            header?: {
                "idempotency-key"?: string | null;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Promotion"];
            };
        };
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Successful Response */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RunView"];
                };
            };
        };
    };
    get_repeats_api_v1_models_repeats_get: {
        parameters: {
            query?: {
                days?: number;
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RepeatsView"];
                };
            };
        };
    };
    roll_back_api_v1_models_rollback_post: {
        parameters: {
            query?: never;
            header?: {
                "idempotency-key"?: string | null;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Rollback"];
            };
        };
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Successful Response */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RunView"];
                };
            };
        };
    };
    counts_api_v1_my_data_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DataCounts"];
                };
            };
        };
    };
    erase_api_v1_my_data_erase_post: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Erasing"];
            };
        };
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ReceiptView"];
                };
            };
        };
    };
    export_api_v1_my_data_export_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/zip": string;
                };
            };
        };
    };
    finish_api_v1_oidc_callback_get: {
        parameters: {
            query?: {
                code?: string;
                state?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Back to the page. */
            303: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    begin_api_v1_oidc_login_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description On to the identity provider. */
            302: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    get_picture_api_v1_pictures__id___form__get: {
        parameters: {
            query?: {
                /** @description as a file, with prompt and seed in a PNG; for its owner only */
                download?: boolean;
                expires?: string;
                /** @description of JPEG and WebP */
                quality?: number;
                /** @description not blurred; for its adult owner only */
                reveal?: boolean;
                signature?: string;
                variant?: string;
                viewer?: string;
                /** @description at most so wide; never made larger */
                width?: number | null;
            };
            header?: never;
            path: {
                form: "png" | "jpeg" | "webp";
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "image/jpeg": string;
                    "image/png": string;
                    "image/webp": string;
                };
            };
            /** @description Not changed. */
            304: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    reverse_api_v1_points__award__reverse_post: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                award: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Reversal"];
            };
        };
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Successful Response */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    profile_api_v1_profile_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProfileView"];
                };
            };
        };
    };
    points_api_v1_profile_points_get: {
        parameters: {
            query?: {
                before?: number | null;
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PointEntries"];
                };
            };
        };
    };
    rater_api_v1_profile_rater_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RaterView"];
                };
            };
        };
    };
    taste_api_v1_profile_taste_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TasteView"];
                };
            };
        };
    };
    forget_taste_api_v1_profile_taste_delete: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Successful Response */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    ranking_api_v1_rankings_next_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["NextRanking"];
                };
            };
        };
    };
    waiting_reports_api_v1_reports_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["WaitingReports"];
                };
            };
        };
    };
    resolve_api_v1_reports__id__post: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Resolution"];
            };
        };
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ReportView"];
                };
            };
        };
    };
    own_reports_api_v1_reports_own_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Reports"];
                };
            };
        };
    };
    review_api_v1_reviews_next_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["NextReview"];
                };
            };
        };
    };
    rooms_api_v1_rooms_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RoomList"];
                };
            };
        };
    };
    open_room_api_v1_rooms_post: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewRoom"];
            };
        };
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Successful Response */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RoomView"];
                };
            };
        };
    };
    room_api_v1_rooms__id__get: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RoomDetail"];
                };
            };
        };
    };
    close_api_v1_rooms__id__close_post: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Successful Response */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    invite_api_v1_rooms__id__members_post: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Invited"];
            };
        };
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Successful Response */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    lay_out_api_v1_rooms__id__pictures_post: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["LaidOut"];
            };
        };
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Successful Response */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    list_runs_api_v1_runs_get: {
        parameters: {
            query?: {
                after?: string | null;
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RunPage"];
                };
            };
        };
    };
    create_run_api_v1_runs_post: {
        parameters: {
            query?: never;
            header?: {
                "idempotency-key"?: string | null;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["RunOrder"];
            };
        };
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Successful Response */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RunView"];
                };
            };
        };
    };
    get_run_api_v1_runs__id__get: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RunDetail"];
                };
            };
        };
    };
    stop_run_api_v1_runs__id__delete: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RunView"];
                };
            };
        };
    };
    follow_run_api_v1_runs__id__events_get: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/event-stream": string;
                };
            };
        };
    };
    get_grid_picture_api_v1_runs__id__grid__place___side__png_get: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
                place: number;
                side: "before" | "after";
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "image/png": string;
                };
            };
        };
    };
    get_report_api_v1_runs__id__report_get: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/html": string;
                };
            };
        };
    };
    get_options_api_v1_runs_options_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RunOptions"];
                };
            };
        };
    };
    session_api_v1_session_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SessionState"];
                };
            };
        };
    };
    setup_api_v1_setup_post: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Setup"];
            };
        };
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Successful Response */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LoggedIn"];
                };
            };
        };
    };
    sign_up_api_v1_sign_up_post: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["SignUp"];
            };
        };
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Successful Response */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LoggedIn"];
                };
            };
        };
    };
    list_studies_api_v1_studies_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["StudyList"];
                };
            };
        };
    };
    make_study_api_v1_studies_post: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewStudy"];
            };
        };
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Successful Response */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["StudyRow"];
                };
            };
        };
    };
    answer_pairs_api_v1_studies__id__answers_post: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["SentChoices"];
            };
        };
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ChoiceOutcomes"];
                };
            };
        };
    };
    close_study_api_v1_studies__id__close_post: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Successful Response */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    make_invitations_api_v1_studies__id__invitations_post: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["InvitationWish"];
            };
        };
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Successful Response */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Invitations"];
                };
            };
        };
    };
    next_pair_api_v1_studies__id__next_get: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["NextPair"];
                };
            };
        };
    };
    get_study_picture_api_v1_studies__id__pictures__assignment___side__png_get: {
        parameters: {
            query?: {
                expires?: string;
                signature?: string;
                variant?: string;
                viewer?: string;
            };
            header?: never;
            path: {
                assignment: string;
                id: string;
                side: "left" | "right";
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "image/png": string;
                };
            };
        };
    };
    get_report_api_v1_studies__id__report_get: {
        parameters: {
            query?: {
                /** @description leave out who is less */
                steady?: number | null;
            };
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["StudyReportView"];
                };
            };
        };
    };
    list_all_api_v1_studies_all_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["StudyRows"];
                };
            };
        };
    };
    join_study_api_v1_studies_join_post: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Invitation"];
            };
        };
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Successful Response */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Joined"];
                };
            };
        };
    };
    users_api_v1_users_get: {
        parameters: {
            query?: {
                after?: string;
                limit?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["UserList"];
                };
            };
        };
    };
    add_user_api_v1_users_post: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewUser"];
            };
        };
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Successful Response */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["UserView"];
                };
            };
        };
    };
    change_user_api_v1_users__id__patch: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["UserChange"];
            };
        };
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["UserView"];
                };
            };
        };
    };
    health_health_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Health"];
                };
            };
        };
    };
    metrics_metrics_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    ready_ready_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Readiness"];
                };
            };
            /** @description Not yet, or no longer. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Readiness"];
                };
            };
        };
    };
    generate_v1_images_generations_post: {
        parameters: {
            query?: never;
            header?: {
                "idempotency-key"?: string | null;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["GenerationBody"];
            };
        };
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["GenerationAnswer"];
                    "text/event-stream": string;
                };
            };
        };
    };
    list_models_v1_models_get: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ServedModels"];
                };
            };
        };
    };
    get_model_v1_models__model__get: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                model: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Refused: what the client can mend. */
            "4XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Not possible now; busy servers say when to come again. */
            "5XX": {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorBody"];
                };
            };
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ServedModel"];
                };
            };
        };
    };
}
