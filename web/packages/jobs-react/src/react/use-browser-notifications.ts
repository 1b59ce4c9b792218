'use client';

import { useEffect, useRef, useState } from 'react';

import { isFinal } from '../core/job.js';
import type { Job } from '../core/types.js';
import { messageOf, type JobLabels } from './labels.js';

/**
 * Tell of ends through the system while nobody looks at the page. Returns how to ask for the
 * permission, for a button; null where that is pointless: not wanted, not possible, or answered.
 */
export function useBrowserNotifications(
  isWanted: boolean,
  jobs: readonly Job[],
  titleOf: (job: Job) => string,
  labels: JobLabels,
): (() => void) | null {
  const [permission, setPermission] = useState<NotificationPermission | null>(null);
  useEffect(() => {
    if (isWanted && typeof Notification === 'function') setPermission(Notification.permission);
  }, [isWanted]);

  const running = useRef<ReadonlySet<string>>(new Set());
  useEffect(() => {
    const before = running.current;
    running.current = new Set(jobs.filter((job) => !isFinal(job.status)).map((job) => job.jobId));
    if (!isWanted || permission !== 'granted' || document.visibilityState !== 'hidden') return;
    for (const job of jobs) {
      if (!isFinal(job.status) || job.status === 'cancelled' || !before.has(job.jobId)) continue;
      show(titleOf(job), messageOf(job, labels), job.jobId);
    }
  }, [isWanted, permission, jobs, titleOf, labels]);

  if (!isWanted || permission !== 'default') return null;
  return () => void Notification.requestPermission().then(setPermission);
}

/** `tag` makes one of what several tabs tell. */
function show(title: string, body: string, tag: string): void {
  try {
    const notification = new Notification(title, { body, tag });
    notification.onclick = () => {
      window.focus();
      notification.close();
    };
  } catch (error) {
    // Android's Chrome has the constructor and refuses it: only service workers may tell there.
    if (!(error instanceof TypeError)) throw error;
  }
}
