//! Code against the same functions one element at a time, on every path of the processor.

use super::*;

const ALL: [Arithmetic; 4] = [Arithmetic::Add, Arithmetic::Sub, Arithmetic::Mul, Arithmetic::Div];
const LENGTHS: [usize; 8] = [0, 1, 15, 16, 17, 33, 500, BLOCK];
const NOTHING: Term = Term::Number(0.0);

/// Numbers of either sign, with zeros, large and small ones, infinities and a NaN.
fn elements(n: usize, k: usize) -> Vec<f32> {
    let odd = [0.0, -0.0, 1e-40, f32::MAX, f32::INFINITY, f32::NAN, f32::MIN_POSITIVE];
    let plain = |i: usize| ((i * 37 + k * 101) % 211) as f32 / 16.0 - 6.5;
    (0..n).map(|i| if i % 19 == k { odd[i / 19 % odd.len()] } else { plain(i) }).collect()
}

/// What code gives, with NaN in whatever it does not write.
fn run(level: Level, steps: &[Step], result: Term, args: &[Block<'_>], n: usize) -> Vec<f32> {
    let (mut registers, mut out) = (vec![f32::NAN; steps.len() * BLOCK], vec![f32::NAN; n]);
    run_code_at(level, steps, result, args, &mut registers, &mut out);
    out
}

/// Whether all are the same bits, or none of both is a number.
fn same(got: &[f32], want: &[f32]) -> bool {
    got.len() == want.len() && got.iter().zip(want).all(|(a, b)| a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan())
}

#[test]
fn a_pair_has_the_bits_of_its_two_steps_whichever_terms_are_numbers() {
    for level in Level::available() {
        for (n, kinds) in LENGTHS.into_iter().flat_map(|n| (0..8).map(move |kinds| (n, kinds))) {
            let values: [Vec<f32>; 3] = std::array::from_fn(|k| elements(n, k));
            let is_number = |k: usize| kinds >> k & 1 == 1;
            let number = |k: usize| [1.25, -3.0, 0.7][k];
            let args: [Block<'_>; 3] =
                std::array::from_fn(|k| if is_number(k) { Block::Number(number(k)) } else { Block::Each(&values[k]) });
            let at = |k: usize, i: usize| if is_number(k) { number(k) } else { values[k][i] };
            for (first, second) in ALL.into_iter().flat_map(|first| ALL.map(|second| (first, second))) {
                let terms = [Term::Arg(0), Term::Arg(1), Term::Arg(2)];
                let fused = [Step { act: Act::Pair(first, second), terms }];
                let apart = [
                    Step { act: Act::Arithmetic(first), terms },
                    Step { act: Act::Arithmetic(second), terms: [Term::Step(0), Term::Arg(2), NOTHING] },
                ];
                let want: Vec<f32> = (0..n).map(|i| second.eval(first.eval(at(0, i), at(1, i)), at(2, i))).collect();
                let what = format!("{first:?}, {second:?} of {n} with numbers {kinds:03b} on {level:?}");
                assert!(same(&run(level, &fused, Term::Step(0), &args, n), &want), "{what}, fused");
                assert!(same(&run(level, &apart, Term::Step(1), &args, n), &want), "{what}, apart");
            }
        }
    }
}

#[test]
fn code_gives_what_its_functions_give() {
    // where(x < y, exp(x) / 2, y), where(1, x, 3), and what depends on numbers only.
    let function = |f: Function, terms: [Term; 3]| Step { act: Act::Function(f), terms };
    let (x, y) = (Term::Arg(0), Term::Arg(1));
    let steps = [
        function(Function::Less, [x, y, NOTHING]),
        function(Function::Exp, [x, NOTHING, NOTHING]),
        Step { act: Act::Arithmetic(Arithmetic::Div), terms: [Term::Step(1), Term::Number(2.0), NOTHING] },
        function(Function::Where, [Term::Step(0), Term::Step(2), y]),
        function(Function::Where, [Term::Number(1.0), x, Term::Number(3.0)]),
        Step { act: Act::Arithmetic(Arithmetic::Mul), terms: [Term::Arg(2), Term::Number(0.5), NOTHING] },
        Step { act: Act::Arithmetic(Arithmetic::Add), terms: [Term::Step(3), Term::Step(5), NOTHING] },
    ];
    for (level, n) in Level::available().into_iter().flat_map(|level| LENGTHS.map(|n| (level, n))) {
        let (left, right) = (elements(n, 0), elements(n, 1));
        let args = [Block::Each(&left), Block::Each(&right), Block::Number(5.0)];
        let mut exp = vec![0.0; n];
        unary_at(level, Function::Exp, &left, &mut exp);
        let chosen = |i: usize| if left[i] < right[i] { exp[i] / 2.0 } else { right[i] };
        let want = |f: &dyn Fn(usize) -> f32| (0..n).map(f).collect::<Vec<f32>>();
        let got = |result: Term| run(level, &steps, result, &args, n);
        assert!(same(&got(Term::Step(3)), &want(&chosen)), "a choice of {n} on {level:?}");
        assert!(same(&got(Term::Step(4)), &left), "what a number chooses of {n} on {level:?}");
        assert!(same(&got(Term::Step(5)), &vec![2.5; n]), "a number for {n} on {level:?}");
        assert!(same(&got(Term::Step(6)), &want(&|i| chosen(i) + 2.5)), "a sum of {n} on {level:?}");
        assert!(same(&got(Term::Arg(1)), &right), "an operand of {n} on {level:?}");
        assert!(same(&got(Term::Number(0.25)), &vec![0.25; n]), "a constant for {n} on {level:?}");
    }
}

#[test]
fn code_that_is_too_long_is_refused() {
    let refused = |f: &dyn Fn()| std::panic::catch_unwind(std::panic::AssertUnwindSafe(f)).is_err();
    let step = Step { act: Act::Arithmetic(Arithmetic::Add), terms: [Term::Arg(0), Term::Arg(0), NOTHING] };
    let one = [Block::Number(1.0)];
    assert!(refused(&|| {
        run(Level::best(), &vec![step; STEPS + 1], Term::Step(STEPS), &one, 4);
    }));
    assert!(refused(&|| {
        run(Level::best(), &[step], Term::Step(0), &one, BLOCK + 1);
    }));
    assert!(refused(&|| {
        run(Level::best(), &[step], Term::Step(0), &[Block::Each(&[1.0; 3])], 4);
    }));
}
