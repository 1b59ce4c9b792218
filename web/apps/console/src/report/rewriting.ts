/** A passage cut around the words it turns on, or `null` when they do not stand in it. */
export interface Cut {
  readonly before: string;
  readonly words: string;
  readonly after: string;
}

export function cutAround(passage: string, words: string): Cut | null {
  if (words === '') return null;
  const at = passage.toLowerCase().indexOf(words.toLowerCase());
  if (at < 0) return null;
  const end = at + words.length;
  return { before: passage.slice(0, at), words: passage.slice(at, end), after: passage.slice(end) };
}

/** `alternative` in the place and the case of the words cut out. */
export function fitted(cut: Cut, alternative: string): string {
  const first = alternative.charAt(0);
  const capital = cut.words.charAt(0) === cut.words.charAt(0).toUpperCase();
  return (capital ? first.toUpperCase() : first.toLowerCase()) + alternative.slice(1);
}
