import { renderHook, type RenderHookResult } from '@testing-library/react';
import { StrictMode, type JSX, type ReactNode } from 'react';
import { renderToString } from 'react-dom/server';
import { expect, it, vi } from 'vitest';

import {
  JobsProvider,
  useJobStream,
  type JobsSource,
  type UseJobStreamOptions,
  type UseJobStreamResult,
} from '../src/index.js';
import { eventually } from './harness.js';
import { TextServer } from './text-server.js';

interface Props {
  readonly jobId: string | null;
  readonly options: UseJobStreamOptions;
}

function source(server: TextServer, more: Partial<JobsSource> = {}): UseJobStreamOptions {
  return { userId: 'user-1', apiUrl: server.url, authToken: 'jwt-token', ...more };
}

function follow(options: UseJobStreamOptions, jobId: string | null): RenderHookResult<UseJobStreamResult, Props> {
  return renderHook((props: Props) => useJobStream(props.jobId, props.options), {
    initialProps: { jobId, options },
    reactStrictMode: true,
  });
}

async function shows(hook: { readonly result: { readonly current: UseJobStreamResult } }, text: string): Promise<void> {
  await eventually(() => expect(hook.result.current.text).toBe(text));
}

it('shows the text so far, then what comes, and tells its end once', async () => {
  const server = await TextServer.start();
  server.write('Dear reader,\n\n  so');
  const onEnd = vi.fn();
  const hook = follow({ ...source(server), onEnd }, server.jobId);
  await shows(hook, 'Dear reader,\n\n  so');
  expect(hook.result.current).toMatchObject({ isLive: true, isEnded: false, error: null });
  server.write(' far');
  await shows(hook, 'Dear reader,\n\n  so far');
  expect(onEnd).not.toHaveBeenCalled();
  server.end();
  await eventually(() => expect(hook.result.current.isEnded).toBe(true));
  hook.rerender({ jobId: server.jobId, options: { ...source(server), onEnd } });
  expect(onEnd.mock.calls).toEqual([['Dear reader,\n\n  so far']]);
  expect(hook.result.current.isLive).toBe(false);
  expect(server.tokens).toEqual(['jwt-token']);
});

it('goes on after every break where it was, in the middle of a word too', async () => {
  const server = await TextServer.start();
  const hook = follow(source(server), server.jobId);
  let written = '';
  for (let word = 0; word < 8; word += 1) {
    await eventually(() => expect(server.connections).toBe(1));
    server.write(`ä${word} `);
    server.cut(`cut🦉${word} `);
    written += `ä${word} cut🦉${word} `;
    await shows(hook, written);
  }
  server.end();
  await eventually(() => expect(hook.result.current.isEnded).toBe(true));
  expect(hook.result.current.text).toBe(written);
});

it('begins anew when the job is tried again', async () => {
  const server = await TextServer.start();
  server.write('the first attempt');
  const hook = follow(source(server), server.jobId);
  await shows(hook, 'the first attempt');
  server.beginAnew();
  server.write('the second');
  await shows(hook, 'the second');
  expect(hook.result.current.error).toBeNull();
});

it('components that show the same job share one connection, and the last one to go closes it', async () => {
  const server = await TextServer.start();
  server.write('shared');
  const one = follow(source(server), server.jobId);
  await shows(one, 'shared');
  const other = follow(source(server), server.jobId);
  expect(other.result.current.text).toBe('shared');
  expect(server.tokens).toHaveLength(1);
  one.unmount();
  server.write(' still');
  await shows(other, 'shared still');
  other.unmount();
  await eventually(() => expect(server.connections).toBe(0));
});

it('says that there is no such job, and does not ask again', async () => {
  const server = await TextServer.start();
  const hook = follow(source(server), 'user-1:story:1:somebody-else');
  await eventually(() => expect(hook.result.current.error?.status).toBe(404));
  hook.rerender({ jobId: server.jobId, options: source(server) });
  server.write('mine');
  await shows(hook, 'mine');
  expect(hook.result.current.error).toBeNull();
  expect(server.tokens).toHaveLength(2);
});

it('asks for another token when one was refused', async () => {
  const server = await TextServer.start();
  server.write('secret');
  server.refuses = (token) => (token === 'new' ? null : { status: 401, code: 'unauthenticated' });
  const tokens = ['old', 'new'];
  const hook = follow(source(server, { authToken: () => tokens.shift() ?? 'new' }), server.jobId);
  await shows(hook, 'secret');
  expect(server.tokens).toEqual(['old', 'new']);
});

it('tries a new fixed token where the old one was refused, and no token twice', async () => {
  const server = await TextServer.start();
  server.write('secret');
  server.refuses = (token) => (token === 'new' ? null : { status: 401, code: 'unauthenticated' });
  const hook = follow(source(server, { authToken: 'old' }), server.jobId);
  await eventually(() => expect(hook.result.current.error?.status).toBe(401));
  hook.rerender({ jobId: server.jobId, options: source(server, { authToken: 'new' }) });
  await shows(hook, 'secret');
  expect(server.tokens).toEqual(['old', 'new']);
});

it('waits for a server that is briefly away', async () => {
  const server = await TextServer.start();
  server.write('here I am');
  let refusals = 2;
  server.refuses = () => (refusals-- > 0 ? { status: 503, code: 'service-unavailable' } : null);
  const hook = follow(source(server), server.jobId);
  await shows(hook, 'here I am');
  expect(server.tokens).toHaveLength(3);
});

it('needs no options below a provider, and no job', async () => {
  const server = await TextServer.start();
  server.write('provided');
  const { userId = '', apiUrl, authToken } = source(server);
  const wrapper = ({ children }: { children: ReactNode }): JSX.Element => (
    <StrictMode>
      <JobsProvider userId={userId} apiUrl={apiUrl} authToken={authToken}>
        {children}
      </JobsProvider>
    </StrictMode>
  );
  const hook = renderHook(({ jobId }: { jobId: string | null }) => useJobStream(jobId), {
    wrapper,
    initialProps: { jobId: null as string | null },
  });
  expect(hook.result.current).toEqual({ text: '', isLive: false, isEnded: false, error: null });
  hook.rerender({ jobId: server.jobId });
  await shows(hook, 'provided');
});

it('renders on a server without asking for anything', async () => {
  const server = await TextServer.start();
  const Text = (): JSX.Element => <p>{useJobStream(server.jobId, source(server)).text}</p>;
  expect(renderToString(<Text />)).toBe('<p></p>');
  expect(server.tokens).toEqual([]);
});
