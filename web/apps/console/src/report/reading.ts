import { asWords, fieldsOf, firstText, isFields, listOf, numberOf, textOf, textsOf, type Fields } from "./fields";
import type {
  Finding,
  Keyword,
  Keywords,
  Passage,
  Priority,
  ProvenanceFact,
  Report,
  ScorePart,
  SectionNote,
  SkillGap,
  Strength,
  VerbAdvice,
  Verbs,
} from "./model";

const clamp = (value: number, most: number): number => Math.min(most, Math.max(0, value));

/** Reads the result of a `resume-optimization` job; `null` when it is not one. */
export function readReport(result: unknown): Report | null {
  const fields = fieldsOf(result);
  const score = numberOf(fields["atsScore"]);
  if (score === null) return null;
  const quality = fieldsOf(fields["overallQuality"]);
  return {
    targetRole: textOf(fields["targetRole"]),
    score: clamp(score, 100),
    verdict: firstText(quality["label"], quality["rating"], quality["verdict"], fields["overallQuality"]),
    summary: firstText(quality["summary"]),
    parts: readParts(quality),
    keywords: readKeywords(fieldsOf(fields["keywordAnalysis"])),
    verbs: readVerbs(fieldsOf(fields["actionVerbAnalysis"])),
    findings: listOf(fields["improvementAreas"]).filter(isFields).map(readFinding),
    strengths: listOf(fields["strengths"]).map(readStrength),
    gaps: listOf(fields["skillGapInsights"]).filter(isFields).map(readGap),
    sections: listOf(fields["sectionFeedback"]).filter(isFields).map(readSection),
    quickWins: listOf(fields["quickWins"]).map(readWin).filter((win) => win !== ""),
    provenance: readProvenance(fieldsOf(fields["engine"])),
  };
}

function readParts(quality: Fields): readonly ScorePart[] {
  const parts = quality["parts"] ?? quality["breakdown"] ?? quality["scores"];
  if (Array.isArray(parts)) {
    return parts.filter(isFields).flatMap((part) => {
      const value = numberOf(part["score"] ?? part["value"]);
      if (value === null) return [];
      const label = firstText(part["label"], part["name"]);
      return [{ label: asWords(label), value: clamp(value, 100), note: firstText(part["note"], part["detail"]) }];
    });
  }
  return Object.entries(fieldsOf(parts)).flatMap(([name, value]) => {
    const score = numberOf(value);
    return score === null ? [] : [{ label: asWords(name), value: clamp(score, 100), note: "" }];
  });
}

function readShare(value: unknown): number | null {
  const number = numberOf(value);
  if (number === null) return null;
  return clamp(number > 1 ? number / 100 : number, 1);
}

function readKeyword(value: unknown): Keyword[] {
  if (typeof value === "string") return [{ term: value, count: 1, demand: null, passage: null }];
  const word = fieldsOf(value);
  const term = firstText(word["keyword"], word["term"], word["skill"], word["name"]);
  if (term === "") return [];
  const passage = readPassages(word["evidence"] ?? word["passage"])[0]?.quote ?? null;
  return [
    {
      term,
      count: numberOf(word["count"] ?? word["occurrences"]) ?? 0,
      demand: readShare(word["demand"] ?? word["share"]),
      passage,
    },
  ];
}

function readKeywords(fields: Fields): Keywords {
  return {
    found: listOf(fields["found"] ?? fields["matched"]).flatMap(readKeyword),
    missing: listOf(fields["missing"]).flatMap(readKeyword),
    note: firstText(fields["summary"], fields["note"]),
  };
}

function readPassage(value: unknown): Passage[] {
  if (typeof value === "string") return value.trim() === "" ? [] : [{ quote: value.trim(), where: "" }];
  const passage = fieldsOf(value);
  const quote = firstText(passage["quote"], passage["text"], passage["passage"]);
  if (quote === "") return [];
  const section = firstText(passage["section"], passage["where"]);
  const line = numberOf(passage["line"]);
  const where = [section, line === null ? "" : `line ${line}`].filter((part) => part !== "").join(", ");
  return [{ quote, where }];
}

function readPassages(value: unknown): readonly Passage[] {
  return (Array.isArray(value) ? value : [value]).flatMap(readPassage);
}

function readPriority(value: unknown): Priority {
  const text = textOf(value).toLowerCase();
  if (text === "high" || text === "critical") return "high";
  return text === "low" ? "low" : "medium";
}

function readFinding(fields: Fields): Finding {
  return {
    priority: readPriority(fields["priority"]),
    category: asWords(textOf(fields["category"])),
    issue: textOf(fields["issue"]),
    recommendation: textOf(fields["recommendation"]),
    evidence: readPassages(fields["evidence"]),
  };
}

function readVerbAdvice(value: unknown): VerbAdvice[] {
  if (!isFields(value)) return [];
  return [
    {
      verb: firstText(value["verb"], value["phrase"]),
      passage: readPassages(value["evidence"] ?? value["passage"] ?? value["text"])[0]?.quote ?? "",
      alternatives: textsOf(value["alternatives"] ?? value["suggestions"]),
      rewrite: firstText(value["rewrite"]),
    },
  ];
}

function readVerbs(fields: Fields): Verbs {
  const strong = listOf(fields["strong"] ?? fields["strongVerbs"]).flatMap((value) => {
    if (typeof value === "string") return [{ verb: value, count: 1 }];
    const verb = textOf(fieldsOf(value)["verb"]);
    return verb === "" ? [] : [{ verb, count: numberOf(fieldsOf(value)["count"]) ?? 1 }];
  });
  return {
    note: firstText(fields["summary"], fields["note"]),
    strong,
    weak: listOf(fields["weak"] ?? fields["weakVerbs"]).flatMap(readVerbAdvice),
  };
}

function readStrength(value: unknown): Strength {
  if (typeof value === "string") return { text: value.trim(), evidence: [] };
  const fields = fieldsOf(value);
  return {
    text: firstText(fields["text"], fields["strength"], fields["title"]),
    evidence: readPassages(fields["evidence"]),
  };
}

function readGap(fields: Fields): SkillGap {
  return {
    skill: textOf(fields["skill"]),
    demand: readShare(fields["demand"]),
    importance: asWords(textOf(fields["importance"])),
    advice: firstText(fields["recommendation"], fields["insight"], fields["advice"]),
  };
}

function readSection(fields: Fields): SectionNote {
  const score = numberOf(fields["score"]);
  return {
    name: asWords(firstText(fields["section"], fields["name"])),
    score: score === null ? null : clamp(score, 100),
    present: fields["present"] !== false,
    feedback: firstText(fields["feedback"], fields["summary"]),
    suggestions: textsOf(fields["suggestions"]),
  };
}

function readWin(value: unknown): string {
  const fields = fieldsOf(value);
  return firstText(value, fields["action"], fields["text"]);
}

function readProvenance(engine: Fields): readonly ProvenanceFact[] {
  return Object.entries(engine).flatMap(([name, value]) => {
    const text = typeof value === "string" || typeof value === "number" ? String(value) : textsOf(value).join(", ");
    return text === "" ? [] : [{ label: asWords(name), value: text }];
  });
}
