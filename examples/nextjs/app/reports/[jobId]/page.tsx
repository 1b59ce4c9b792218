import { Report } from './report';

export default async function Page({ params }: { params: Promise<{ jobId: string }> }) {
  const { jobId } = await params;
  return <Report jobId={decodeURIComponent(jobId)} />;
}
