import { useEffect, useState } from 'react';

import { CheckIcon, CopyIcon, DownloadIcon, LinkIcon, PrintIcon } from '../shell/icons';
import { jobLink } from '../shell/routing';
import { asText } from './asText';
import type { Report } from './model';

const SAID_FOR_MS = 2_500;

/** Hands a file to the reader. */
function download(name: string, type: string, content: string): void {
  const url = URL.createObjectURL(new Blob([content], { type }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  // The browser has taken hold of the content once the click was handled.
  setTimeout(() => {
    URL.revokeObjectURL(url);
  }, 0);
}

function fileName(role: string): string {
  const slug = role
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, '-')
    .replace(/^-|-$/g, '');
  return `careerlens-${slug === '' ? 'report' : slug}.json`;
}

/** What one may do with a finished report. */
export function Tools({ jobId, report, raw }: { jobId: string; report: Report; raw: unknown }) {
  const [said, setSaid] = useState<string | null>(null);
  useEffect(() => {
    if (said === null) return;
    const timer = setTimeout(() => {
      setSaid(null);
    }, SAID_FOR_MS);
    return () => {
      clearTimeout(timer);
    };
  }, [said]);

  const copy = async (text: string, done: string) => {
    try {
      await navigator.clipboard.writeText(text);
      setSaid(done);
    } catch {
      setSaid('Your browser did not allow copying.');
    }
  };

  return (
    <div className="tools">
      <button
        type="button"
        className="button button--small button--quiet"
        onClick={() => void copy(asText(report), 'Report copied')}
      >
        <CopyIcon size={18} /> Copy report
      </button>
      <button
        type="button"
        className="button button--small button--quiet"
        onClick={() => void copy(new URL(jobLink(jobId), window.location.href).href, 'Link copied')}
      >
        <LinkIcon size={18} /> Copy link
      </button>
      <button
        type="button"
        className="button button--small button--quiet"
        onClick={() => {
          window.print();
        }}
      >
        <PrintIcon size={18} /> Print
      </button>
      <button
        type="button"
        className="button button--small button--quiet"
        onClick={() => {
          download(fileName(report.role.title), 'application/json', `${JSON.stringify(raw, null, 2)}\n`);
          setSaid('JSON downloaded');
        }}
      >
        <DownloadIcon size={18} /> Download JSON
      </button>
      <p className="tools__said small" role="status">
        {said === null ? null : (
          <>
            <CheckIcon size={16} /> {said}
          </>
        )}
      </p>
    </div>
  );
}
