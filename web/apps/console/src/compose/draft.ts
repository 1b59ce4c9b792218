/** What the reader hands in: a file or pasted text, and the role it is for. */
export interface Draft {
  readonly source: ResumeSource;
  readonly targetRole: string;
}

/** `kind` says which of the two is meant; the other is kept, so that changing one's mind is free. */
export interface ResumeSource {
  readonly kind: 'file' | 'text';
  readonly file: File | null;
  readonly text: string;
}

export const EMPTY_DRAFT: Draft = {
  source: { kind: 'file', file: null, text: '' },
  targetRole: '',
};

/** What `<input accept>` offers. */
export const ACCEPTED =
  '.pdf,.docx,.txt,.md,application/pdf,text/plain,text/markdown,application/vnd.openxmlformats-officedocument.wordprocessingml.document';

const READABLE = new Set(['pdf', 'docx', 'txt', 'text', 'md', 'markdown']);
const PICTURES = new Set(['png', 'jpg', 'jpeg', 'heic', 'gif', 'webp', 'tif', 'tiff', 'bmp']);

function extension(name: string): string {
  const dot = name.lastIndexOf('.');
  return dot < 0 ? '' : name.slice(dot + 1).toLowerCase();
}

/** A size as people write it: `312 kB`, `2.4 MB`. */
export function describeSize(bytes: number): string {
  if (bytes < 1024) return bytes === 1 ? '1 byte' : `${bytes} bytes`;
  if (bytes < 1024 ** 2) return `${Math.round(bytes / 1024)} kB`;
  const megabytes = bytes / 1024 ** 2;
  return `${megabytes.toFixed(megabytes < 10 && !Number.isInteger(megabytes) ? 1 : 0)} MB`;
}

/**
 * Why a file cannot be handed in, or `null`. Only what needs no reading is checked here, to spare an
 * upload; the server looks inside.
 */
export function problemWithFile(
  file: { readonly name: string; readonly size: number },
  maxBytes: number,
): string | null {
  const kind = extension(file.name);
  if (kind === 'doc') {
    return 'The older .doc format cannot be read. Save it as .docx or PDF and try again.';
  }
  if (PICTURES.has(kind)) {
    return 'A picture holds no text to read. Use the PDF or Word file it was made from.';
  }
  if (!READABLE.has(kind)) {
    return `“${file.name}” is not a PDF, DOCX or text file.`;
  }
  if (file.size === 0) return `“${file.name}” is empty.`;
  if (file.size > maxBytes) {
    return `“${file.name}” is ${describeSize(file.size)}; at most ${describeSize(maxBytes)} can be read.`;
  }
  return null;
}

export interface DraftProblems {
  readonly resume?: string;
  readonly targetRole?: string;
}

/** What is missing before the draft can be handed in. Empty when it is ready. */
export function problemsWithDraft(draft: Draft, maxBytes: number): DraftProblems {
  const { source } = draft;
  let resume: string | null = null;
  if (source.kind === 'text') {
    if (source.text.trim() === '') resume = 'Paste the text of your résumé.';
  } else if (source.file === null) {
    resume = 'Choose your résumé, or drop it here.';
  } else {
    resume = problemWithFile(source.file, maxBytes);
  }
  const role = draft.targetRole.trim() === '' ? 'Name the role you are aiming for.' : null;
  return {
    ...(resume === null ? {} : { resume }),
    ...(role === null ? {} : { targetRole: role }),
  };
}

/** How the résumé is called in lists and headings. */
export function nameOfSource(source: ResumeSource): string {
  return source.kind === 'file' ? (source.file?.name ?? '') : 'Pasted text';
}
