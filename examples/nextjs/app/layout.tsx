import type { ReactNode } from 'react';

import { Jobs } from './jobs';

export const metadata = { title: 'CareerLens Jobs in Next.js' };

/** Rendered on the server; the provider below outlives every change of page. */
export default function Layout({ children }: { children: ReactNode }) {
  return (
    <html lang="en">
      <body>
        <Jobs userId="user-123">{children}</Jobs>
      </body>
    </html>
  );
}
