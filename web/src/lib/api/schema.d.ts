export interface components {
    schemas: {
        SetupState: {
            open: boolean;
        };
        StartSetup: {
            token: string;
            tenant_name: string;
            name: string;
            email: string;
            password: string;
        };
        SetupDraft: {
            draft: string;
            totp: components["schemas"]["TotpSecret"];
            tenant: string;
            server_keys: components["schemas"]["ServerKeys"];
        };
        ServerKeys: {
            link: string;
            attestation: string;
            log: string;
            fresh: string;
            enrolment: string;
        };
        TotpSecret: {
            secret: string;
            uri: string;
        };
        FinishSetup: {
            token: string;
            draft: string;
            code: string;
            root_body: string;
            authority_key: string;
            root_signature: string;
        };
        RecoveryCodes: {
            recovery_codes: string[];
        };
        SignIn: {
            email: string;
            password: string;
            code: string;
        };
        Me: {
            user: string;
            name: string;
            email: string;
            role: string;
            tenant: string;
            tenant_name: string;
            session: components["schemas"]["Session"];
            recovery_codes_left: number;
            step_up_until?: string | null;
        };
        Session: {
            id: string;
            current: boolean;
            stage: components["schemas"]["SessionStage"];
            created: string;
            last_active: string;
            expires: string;
            idle_expires: string;
            address: string;
            user_agent: string;
            method: string;
        };
        Factor: {
            id: string;
            kind: string;
            name: string;
            created: string;
            last_used?: string | null;
            locked: boolean;
        };
        SessionStage: "codes" | "full" | "restricted";
        AuditEntry: {
            index: number;
            at: string;
            kind: string;
            actor?: components["schemas"]["AuditParty"] | null;
            sentence: components["schemas"]["SentencePart"][];
            details: unknown;
            leaf: string;
        };
        AuditParty: {
            id: string;
            name: string;
        };
        SentencePart: {
            text: string;
            link?: string | null;
        };
        Checkpoint: {
            origin: string;
            size: number;
            root: string;
            note: string;
            at: string;
        };
        InclusionProof: {
            index: number;
            leaf: string;
            checkpoint: components["schemas"]["Checkpoint"];
            hashes: string[];
        };
        Trust: {
            profile: string;
            authority_pin: string;
            root_envelope: string;
            version: number;
            expires: string;
        };
        Customer: {
            id: string;
            name: string;
            sites: components["schemas"]["Site"][];
        };
        Site: {
            id: string;
            name: string;
        };
        NewName: {
            name: string;
        };
        Device: {
            id: string;
            name: string;
            state: components["schemas"]["DeviceState"];
            online: boolean;
            last_seen?: string | null;
            customer: string;
            customer_name: string;
            site: string;
            site_name: string;
            os: string;
            signed_in: string[];
            alerts: string[];
            tags: string[];
        };
        DeviceDetails: {
            device: components["schemas"]["Device"];
            thumbprint: string;
            agent_version: string;
            enrolled: string;
            enrolled_from: string;
            approved?: string | null;
            approved_by?: string | null;
            inventory_at?: string | null;
            figures?: components["schemas"]["Figures"] | null;
        };
        Figures: {
            load_milli: number;
            memory_used: number;
            memory_total: number;
            uptime_secs: number;
        };
        Inventory: {
            collected?: string | null;
            hostname: string;
            os: string;
            kernel: string;
            arch: string;
            timezone: string;
            booted?: string | null;
            hardware: components["schemas"]["Hardware"];
            disks: components["schemas"]["Disk"][];
            network: components["schemas"]["Interface"][];
            signed_in: components["schemas"]["SignedIn"][];
            users: components["schemas"]["LocalUser"][];
            software: components["schemas"]["Software"][];
            processes: components["schemas"]["Process"][];
            services: components["schemas"]["Service"][];
            omitted: number;
        };
        Hardware: {
            cpu: string;
            cores: number;
            memory: number;
            vendor: string;
            product: string;
            serial: string;
            virtualization: string;
        };
        Disk: {
            device: string;
            mount: string;
            filesystem: string;
            total: number;
            free: number;
        };
        Interface: {
            name: string;
            mac: string;
            addresses: string[];
        };
        SignedIn: {
            user: string;
            terminal: string;
            host: string;
            since?: string | null;
        };
        LocalUser: {
            name: string;
            id: string;
            administrator: boolean;
        };
        Software: {
            name: string;
            version: string;
            source: string;
        };
        Process: {
            pid: number;
            parent: number;
            user: string;
            name: string;
            command: string;
            cpu_permille: number;
            memory: number;
        };
        Service: {
            name: string;
            description: string;
            state: string;
            start: string;
        };
        SetTags: {
            tags: string[];
        };
        Devices: {
            devices: string[];
        };
        DeviceCounts: {
            all: number;
            online: number;
            offline: number;
            pending: number;
            attention: number;
        };
        DevicePage: {
            items: components["schemas"]["Device"][];
            next?: string | null;
            total: number;
            counts: components["schemas"]["DeviceCounts"];
        };
        DeviceState: "pending" | "approved" | "quarantined" | "removed";
        NewInstaller: {
            label: string;
            site: string;
            platform: string;
            uses: number;
            lifetime_secs: number;
            network?: string | null;
        };
        Installer: {
            id: string;
            label: string;
            site: string;
            site_name: string;
            customer_name: string;
            platform: string;
            uses: number;
            used: number;
            network?: string | null;
            created: string;
            created_by: string;
            expires: string;
            revoked?: string | null;
        };
        CreatedInstaller: {
            installer: components["schemas"]["Installer"];
            file_name: string;
            enrolment_file: string;
        };
        NewJob: {
            script: string;
            version: number;
            devices: string[];
            arguments?: string[];
            environment?: components["schemas"]["Variable"][];
            secrets?: components["schemas"]["Variable"][];
            run_as?: string | null;
            time_limit_secs?: number | null;
            output_limit_bytes?: number | null;
        };
        Variable: {
            name: string;
            value: string;
        };
        RunCounts: {
            total: number;
            waiting: number;
            running: number;
            succeeded: number;
            failed: number;
            refused: number;
            other: number;
        };
        Job: {
            id: string;
            grant: string;
            script?: string | null;
            name: string;
            version: number;
            sha256: string;
            interpreter: string;
            run_as?: string | null;
            arguments: string[];
            secrets: string[];
            requested_by: string;
            created: string;
            expires: string;
            ended?: string | null;
            log_index: number;
            counts: components["schemas"]["RunCounts"];
        };
        Run: {
            id: string;
            job: string;
            device: string;
            device_name: string;
            state: components["schemas"]["RunState"];
            exit_code?: number | null;
            signal?: number | null;
            reason?: string | null;
            output_sha256?: string | null;
            output_bytes: number;
            started?: string | null;
            ended?: string | null;
            receipt: boolean;
        };
        Output: {
            chunks: components["schemas"]["OutputChunk"][];
            next: number;
            more: boolean;
        };
        OutputChunk: {
            seq: number;
            stream: string;
            text: string;
        };
        Receipt: {
            run: string;
            envelope: string;
        };
        RunState: "waiting" | "delivered" | "running" | "succeeded" | "failed" | "refused" | "cancelled" | "timed_out" | "output_limit" | "interrupted" | "expired";
        Problem: {
            type: string;
            title: string;
            status: number;
            detail: string;
            code: components["schemas"]["Code"];
            request_id: string;
            field?: string | null;
        };
        AuthorizationRequest: {
            id: string;
            short: string;
            state: components["schemas"]["RequestState"];
            summary: string;
            action: components["schemas"]["ActionDetails"];
            class: number;
            class_reason: string;
            digest: string;
            requirement: components["schemas"]["RequirementStep"][];
            requested_by: string;
            requested_by_name: string;
            created: string;
            expires: string;
            hour_devices: number;
            hour_limit: number;
            result?: components["schemas"]["ActionResult"] | null;
        };
        RequirementStep: {
            who: string;
            text: string;
            proof: string;
            met: boolean;
            by?: string | null;
            at?: string | null;
        };
        RunScriptDetails: {
            name: string;
            version: number;
            text: string;
            sha256: string;
            bytes: number;
            previous?: components["schemas"]["PreviousScript"] | null;
            interpreter: string;
            run_as?: string | null;
            arguments: string[];
            environment: components["schemas"]["Variable"][];
            secrets: string[];
            time_limit_secs: number;
            output_limit_bytes: number;
            targets: components["schemas"]["TargetDetails"];
        };
        PreviousScript: {
            version: number;
            text: string;
        };
        TargetDetails: {
            count: number;
            online: number;
            first_time: number;
            devices: components["schemas"]["TargetDevice"][];
        };
        TargetDevice: {
            id: string;
            name: string;
            online: boolean;
            place: string;
        };
        CreateInstallerDetails: {
            label: string;
            place: string;
            platform: string;
            uses: number;
            expires: string;
            network?: string | null;
        };
        ChangedDevices: {
            devices: string[];
        };
        Done: {
            job?: string | null;
            grant?: string | null;
            log_index: number;
        };
        NewProof: {
            totp: string;
        };
        RequestState: "open" | "executed" | "denied" | "expired";
        ActionDetails: (components["schemas"]["RunScriptDetails"] & { kind: "run_script" }) | (components["schemas"]["CreateInstallerDetails"] & { kind: "create_installer" }) | (components["schemas"]["TargetDetails"] & { kind: "approve_devices" }) | (components["schemas"]["TargetDetails"] & { kind: "remove_devices" }) | { kind: "regenerate_recovery_codes" };
        ActionResult: (components["schemas"]["CreatedInstaller"] & { kind: "installer" }) | (components["schemas"]["ChangedDevices"] & { kind: "devices" }) | (components["schemas"]["RecoveryCodes"] & { kind: "recovery_codes" }) | (components["schemas"]["Done"] & { kind: "done" });
        Script: {
            id: string;
            name: string;
            description: string;
            interpreter: string;
            version: number;
            sha256: string;
            updated: string;
            updated_by: string;
            last_run?: string | null;
        };
        ScriptDetails: {
            script: components["schemas"]["Script"];
            text: string;
            parameters: components["schemas"]["Parameter"][];
            versions: components["schemas"]["ScriptVersion"][];
            last_run_version?: number | null;
        };
        ScriptVersion: {
            version: number;
            sha256: string;
            saved: string;
            saved_by: string;
        };
        Parameter: {
            name: string;
            label?: string;
            secret?: boolean;
            required?: boolean;
            default?: string;
        };
        SaveScript: {
            name: string;
            description?: string;
            interpreter: string;
            text: string;
            parameters?: components["schemas"]["Parameter"][];
            based_on?: number | null;
        };
        Code: "malformed" | "invalid_field" | "body_too_large" | "unsupported_media_type" | "not_found" | "method_not_allowed" | "sign_in_refused" | "not_signed_in" | "use_dpop_nonce" | "proof_refused" | "session_restricted" | "role_refused" | "factor_required" | "origin_refused" | "code_refused" | "factor_locked" | "request_closed" | "too_many_open_requests" | "conflict" | "password_refused" | "setup_closed" | "nothing_to_do" | "rate_limited" | "busy" | "log_unavailable" | "internal";
    };
}
