import { OptimizeForm } from './optimize-form';

export default function Page() {
  return (
    <main>
      <h1>Optimize a résumé</h1>
      <OptimizeForm />
    </main>
  );
}
