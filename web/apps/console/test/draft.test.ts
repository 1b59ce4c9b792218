import { describe, expect, it } from 'vitest';

import { describeSize, EMPTY_DRAFT, problemsWithDraft, problemWithFile } from '../src/compose/draft';

const MAX = 5 * 1024 ** 2;

describe('a file to hand in', () => {
  it.each(['cv.pdf', 'CV.DOCX', 'cv.final.txt', 'notes.md'])('may be called %s', (name) => {
    expect(problemWithFile({ name, size: 10 }, MAX)).toBeNull();
  });

  it.each([
    ['cv.doc', /\.docx or PDF/],
    ['photo.JPG', /picture/],
    ['cv.pages', /not a PDF, DOCX or text file/],
    ['cv', /not a PDF, DOCX or text file/],
  ])('is refused with a way out when it is %s', (name, words) => {
    expect(problemWithFile({ name, size: 10 }, MAX)).toMatch(words);
  });

  it('must hold something, and not too much', () => {
    expect(problemWithFile({ name: 'cv.pdf', size: 0 }, MAX)).toMatch(/empty/);
    expect(problemWithFile({ name: 'cv.pdf', size: MAX }, MAX)).toBeNull();
    expect(problemWithFile({ name: 'cv.pdf', size: 6.2 * 1024 ** 2 }, MAX)).toBe(
      '“cv.pdf” is 6.2 MB; at most 5 MB can be read.',
    );
  });
});

describe('a draft', () => {
  it('says what is missing', () => {
    expect(Object.keys(problemsWithDraft(EMPTY_DRAFT, MAX))).toEqual(['resume', 'targetRole']);
    const pasted = { source: { kind: 'text', file: null, text: ' \n' }, targetRole: ' ' } as const;
    expect(Object.keys(problemsWithDraft(pasted, MAX))).toEqual(['resume', 'targetRole']);
  });

  it('is ready with a résumé and a role', () => {
    const draft = {
      source: { kind: 'text', file: null, text: 'Ada Lovelace' },
      targetRole: 'Analyst',
    } as const;
    expect(problemsWithDraft(draft, MAX)).toEqual({});
  });
});

it.each([
  [1, '1 byte'],
  [1023, '1023 bytes'],
  [312_000, '305 kB'],
  [2.5 * 1024 ** 2, '2.5 MB'],
  [MAX, '5 MB'],
])('%d bytes are written %s', (bytes, words) => {
  expect(describeSize(bytes)).toBe(words);
});
