'use client';

import { isHidden } from '../core/page-life.js';
import { useEffect, useState } from './react.js';
import type { JobNews } from './use-news.js';

export interface BrowserNotifications {
  /** Tell of ends through the system while nobody looks at the page. */
  readonly show: (news: readonly JobNews[]) => void;
  /** Asks for the permission; null where that is pointless: not wanted, not possible, or answered. */
  readonly ask: (() => void) | null;
}

export function useBrowserNotifications(isWanted: boolean): BrowserNotifications {
  const [permission, setPermission] = useState<NotificationPermission | null>(null);
  useEffect(() => {
    setPermission(isWanted && typeof Notification === 'function' ? Notification.permission : null);
  }, [isWanted]);

  return {
    show: (news) => {
      if (permission !== 'granted' || !isHidden()) return;
      for (const { job, isEnd, title, message } of news) {
        if (isEnd && job.status !== 'cancelled') notify(title, message, job.jobId);
      }
    },
    ask: permission === 'default' ? () => void Notification.requestPermission().then(setPermission) : null,
  };
}

/** `tag` makes one of what several tabs tell. */
function notify(title: string, body: string, tag: string): void {
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
