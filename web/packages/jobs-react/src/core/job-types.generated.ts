// Written by `npm run generate`, from the OpenAPI document of the API. Not to be edited.

export interface components {
    schemas: {
        /**
         * @description How statements begin. `statements` counts those looked at, `strong_share` is 0 to 1.
         *
         *     Lists hold the most frequent or first ones only, so that a report stays small.
         */
        readonly ActionVerbAnalysis: {
            readonly score: number;
            readonly statements: number;
            readonly strongShare: number;
            readonly strong: readonly components["schemas"]["VerbUse"][];
            readonly weak: readonly components["schemas"]["WeakPhrase"][];
            readonly repeated: readonly components["schemas"]["VerbUse"][];
            readonly suggestions: readonly components["schemas"]["VerbSuggestion"][];
        };
        /** @description Which ways to reach the person were found. The details themselves stay in the résumé. */
        readonly ContactDetails: {
            readonly email: boolean;
            readonly phone: boolean;
            readonly location: boolean;
            readonly linkedin: boolean;
            readonly website: boolean;
        };
        /**
         * @description What was read: counts, and the flags that a reader of the report should know.
         *
         *     `format` is pdf, docx or text. `pages` is None for text. `spelling` is british, american,
         *     mixed or unknown. `warnings` tell of hidden text and the like.
         */
        readonly DocumentFacts: {
            /** @enum {string} */
            readonly format: "pdf" | "docx" | "text";
            readonly pages: number | null;
            readonly words: number;
            readonly lines: number;
            readonly statements: number;
            readonly quantifiedStatements: number;
            readonly yearsOfExperience: number | null;
            readonly sections: readonly string[];
            readonly skills: readonly string[];
            readonly contact: components["schemas"]["ContactDetails"];
            /** @enum {string} */
            readonly spelling: "british" | "american" | "mixed" | "unknown";
            readonly wordsPerSentence: number;
            readonly warnings: readonly string[];
        };
        /** @description What made the report. Layers not named here took no part. */
        readonly Engine: {
            readonly layers: readonly string[];
            readonly version: string;
            readonly market: components["schemas"]["MarketSource"] | null;
        };
        /** @description A passage of the résumé, word for word, and the line it stands on. */
        readonly Evidence: {
            readonly quote: string;
            readonly line: number;
        };
        /**
         * @description How often postings for the role ask for a skill: at least 60%, at least 30%, less.
         * @enum {string}
         */
        readonly Importance: "essential" | "important" | "useful";
        /** @description One thing to change. `id` is stable for programs. */
        readonly ImprovementArea: {
            readonly id: string;
            readonly priority: components["schemas"]["Priority"];
            readonly category: string;
            readonly issue: string;
            readonly recommendation: string;
            readonly evidence: readonly components["schemas"]["Evidence"][];
        };
        /** @description Each job type's input and result. No answer has this form. */
        readonly JobTypes: {
            readonly "resume-optimization": {
                readonly input: components["schemas"]["ResumeOptimizationRequest"];
                readonly result: components["schemas"]["ResumeOptimizationResult"];
            };
        };
        /**
         * @description The résumé against what postings for the role ask for.
         *
         *     `coverage` is the share of that demand the résumé meets, from 0 to 1, each skill weighing as
         *     much as postings ask for it; None without a matched role. `density` counts matched words per
         *     hundred words. `other_skills` were found and are not asked for.
         */
        readonly KeywordAnalysis: {
            readonly score: number | null;
            readonly coverage: number | null;
            readonly density: number;
            readonly matched: readonly components["schemas"]["MatchedKeyword"][];
            readonly missing: readonly components["schemas"]["MissingKeyword"][];
            readonly otherSkills: readonly string[];
            readonly note: string;
        };
        /**
         * @description Where the market data came from. `postings` is how many it was counted from, None for
         *     estimates of an editor.
         */
        readonly MarketSource: {
            readonly source: string;
            readonly asOf: string;
            readonly postings: number | null;
        };
        /** @description A skill that the role's postings ask for and the résumé shows. */
        readonly MatchedKeyword: {
            readonly keyword: string;
            readonly category: string;
            readonly demandPercent: number;
            readonly importance: components["schemas"]["Importance"];
            readonly count: number;
            readonly evidence: readonly components["schemas"]["Evidence"][];
        };
        /** @description A skill that the role's postings ask for and the résumé does not name. */
        readonly MissingKeyword: {
            readonly keyword: string;
            readonly category: string;
            readonly demandPercent: number;
            readonly importance: components["schemas"]["Importance"];
            readonly alsoWritten: readonly string[];
        };
        /** @description How good the writing is, apart from any role: the sum of `breakdown`. */
        readonly OverallQuality: {
            readonly score: number;
            readonly label: components["schemas"]["QualityLabel"];
            readonly summary: string;
            readonly breakdown: readonly components["schemas"]["ScorePart"][];
        };
        /**
         * @description How much an improvement matters. High: it may cost an interview by itself.
         * @enum {string}
         */
        readonly Priority: "high" | "medium" | "low";
        /**
         * @description Overall quality in a word: at least 85, 70, 55, 40 points, and below.
         * @enum {string}
         */
        readonly QualityLabel: "excellent" | "strong" | "fair" | "weak" | "poor";
        /** @description A small change with a known effect: the points that the ATS score would gain. */
        readonly QuickWin: {
            readonly action: string;
            readonly why: string;
            readonly points: number;
            readonly minutes: number;
            readonly evidence: readonly components["schemas"]["Evidence"][];
        };
        /** @description A résumé, as text or as a file that came along, and the role it is meant for. */
        readonly ResumeOptimizationRequest: {
            /** @constant */
            readonly type: "resume-optimization";
            /**
             * @description The résumé as plain text. Leave it out when you upload a file.
             * @default null
             * @example Maya Lindqvist
             *     Full Stack Developer
             *     …
             */
            readonly resumeText?: string | null;
            /**
             * @description The role you are aiming for, as a posting would name it.
             * @example Full Stack Developer
             * @example Backend Developer
             * @example Frontend Developer
             * @example Mobile Developer
             * @example Data Scientist
             * @example Data Analyst
             * @example Data Engineer
             * @example Machine Learning Engineer
             * @example DevOps / Site Reliability Engineer
             * @example Cybersecurity Analyst
             * @example QA Engineer
             * @example Product Manager
             * @example UX Designer
             * @example Graphic Designer
             * @example Registered Nurse
             * @example Medical Assistant
             * @example Accountant
             * @example Financial Analyst
             * @example Sales Representative
             * @example Digital Marketing Manager
             * @example Teacher
             * @example Project Manager
             * @example Business Analyst
             * @example Mechanical Engineer
             * @example Civil Engineer
             * @example Human Resources Generalist
             * @example Customer Success Manager
             * @example Customer Service Representative
             * @example Administrative Assistant
             * @example Supply Chain Manager
             */
            readonly targetRole: string;
        };
        /** @description The whole report. `ats_score` is the sum of `ats_breakdown`, rounded. */
        readonly ResumeOptimizationResult: {
            readonly targetRole: components["schemas"]["TargetRole"];
            readonly atsScore: number;
            readonly atsBreakdown: readonly components["schemas"]["ScorePart"][];
            readonly overallQuality: components["schemas"]["OverallQuality"];
            readonly keywordAnalysis: components["schemas"]["KeywordAnalysis"];
            readonly actionVerbAnalysis: components["schemas"]["ActionVerbAnalysis"];
            readonly improvementAreas: readonly components["schemas"]["ImprovementArea"][];
            readonly strengths: readonly components["schemas"]["Strength"][];
            readonly skillGapInsights: readonly components["schemas"]["SkillGapInsight"][];
            readonly sectionFeedback: readonly components["schemas"]["SectionFeedback"][];
            readonly quickWins: readonly components["schemas"]["QuickWin"][];
            readonly document: components["schemas"]["DocumentFacts"];
            readonly engine: components["schemas"]["Engine"];
        };
        /** @description Yearly gross pay, lower quarter to upper quarter. */
        readonly SalaryBand: {
            readonly low: number;
            readonly median: number;
            readonly high: number;
            readonly currency: string;
        };
        /** @description One part of a score: `points` of at most `out_of`, and why. */
        readonly ScorePart: {
            readonly name: string;
            readonly title: string;
            readonly points: number;
            readonly outOf: number;
            readonly reason: string;
        };
        /** @description One section: whether it is there, under which heading and lines, and what to do. */
        readonly SectionFeedback: {
            readonly section: string;
            readonly title: string;
            readonly present: boolean;
            readonly required: boolean;
            readonly heading: string | null;
            readonly firstLine: number | null;
            readonly lastLine: number | null;
            readonly score: number;
            readonly feedback: string;
            readonly evidence: readonly components["schemas"]["Evidence"][];
        };
        /** @description A missing skill worth having. `salary_uplift_percent` is against the role's median pay. */
        readonly SkillGapInsight: {
            readonly skill: string;
            readonly demandPercent: number;
            readonly importance: components["schemas"]["Importance"];
            readonly salaryUpliftPercent: number | null;
            readonly why: string;
            readonly howToLearn: string | null;
            readonly related: readonly string[];
        };
        /** @description One thing to keep. */
        readonly Strength: {
            readonly title: string;
            readonly detail: string;
            readonly evidence: readonly components["schemas"]["Evidence"][];
        };
        /**
         * @description The role asked for and the one of our market data it was taken for.
         *
         *     `matched` is None when no role is near enough: then nothing is measured against a market, and
         *     `note` says so. `similarity` is from 0 to 1; `salary` is the middle half of yearly pay.
         */
        readonly TargetRole: {
            readonly requested: string;
            readonly matched: string | null;
            readonly similarity: number;
            readonly note: string;
            /** @default null */
            readonly salary?: components["schemas"]["SalaryBand"] | null;
        };
        /** @description One passage and the openings that would say more. */
        readonly VerbSuggestion: {
            readonly passage: components["schemas"]["Evidence"];
            readonly insteadOf: string;
            readonly try: readonly string[];
        };
        /** @description A verb that opens statements, how often, and where. */
        readonly VerbUse: {
            readonly verb: string;
            readonly count: number;
            readonly evidence: readonly components["schemas"]["Evidence"][];
        };
        /** @description An opening that hides what was done. `kind`: weak, passive or vague. */
        readonly WeakPhrase: {
            readonly phrase: string;
            /** @enum {string} */
            readonly kind: "weak" | "passive" | "vague";
            readonly suggestions: readonly string[];
            readonly evidence: readonly components["schemas"]["Evidence"][];
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
