import { fieldsOf, numberOf, textOf, textsOf, type Fields } from '../shell/fields';
import type { Fact } from './model';

const FORMATS: Readonly<Record<string, string>> = { pdf: 'PDF', docx: 'DOCX', text: 'Text' };

function facts(...all: readonly (readonly [label: string, value: string | null])[]): readonly Fact[] {
  return all.flatMap(([label, value]) => (value === null || value === '' ? [] : [{ label, value }]));
}

function plural(count: number, word: string): string {
  return `${count.toLocaleString('en')} ${word}${count === 1 ? '' : 's'}`;
}

/** What the report was made from and by, out of the whole result. */
export function readProvenance(result: Fields): readonly Fact[] {
  return [...readDocument(fieldsOf(result['document'])), ...readEngine(fieldsOf(result['engine']))];
}

function readDocument(document: Fields): readonly Fact[] {
  const format = FORMATS[textOf(document['format'])] ?? '';
  const [pages, words] = [numberOf(document['pages']), numberOf(document['words'])];
  const [statements, quantified] = [
    numberOf(document['statements']),
    numberOf(document['quantifiedStatements']),
  ];
  const years = numberOf(document['yearsOfExperience']);
  const size = [
    format,
    pages === null ? '' : plural(pages, 'page'),
    words === null ? '' : plural(words, 'word'),
  ];
  return facts(
    ['Document', size.filter((part) => part !== '').join(', ')],
    ['Experience found', years === null ? null : plural(years, 'year')],
    [
      'Statements with figures',
      statements === null || quantified === null ? null : `${quantified} of ${statements}`,
    ],
  );
}

function readEngine(engine: Fields): readonly Fact[] {
  const layers = textsOf(engine['layers']).map((layer) =>
    layer === 'deterministic' ? 'fixed rules, no language model' : layer,
  );
  const version = textOf(engine['version']);
  const market = fieldsOf(engine['market']);
  const postings = numberOf(market['postings']);
  const source = [
    textOf(market['source']),
    textOf(market['asOf']),
    postings === null || postings === 0 ? '' : plural(postings, 'posting'),
  ].filter((part) => part !== '');
  return facts(
    ['Judged by', layers.join(', ')],
    ['Engine', version === '' ? null : `CareerLens ${version}`],
    ['Market data', source.join(', ')],
  );
}
