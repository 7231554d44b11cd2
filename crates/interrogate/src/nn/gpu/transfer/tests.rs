use super::super::tests::devices;
use super::*;

/// Sizes on either side of the limits of small copies and of page-locked buffers.
const SIZES: [usize; 5] = [0, 1, 1000, (64 << 10) + 1, (32 << 20) / 4 + 3];

fn floats(count: usize) -> Vec<f32> {
    (0..count).map(|i| ((i * 37) % 6007) as f32 / 977.0 - 3.0).collect()
}

#[test]
fn values_return_from_the_device_rounded_once() {
    for device in devices() {
        for count in SIZES {
            let values = floats(count);
            let stored = Values::owned(&values);
            for dtype in [DType::F32, DType::F16, DType::BF16] {
                let host = Tensor::from_slice(&values, count, &Device::Cpu).unwrap();
                let rounded = host.to_dtype(dtype).unwrap().to_dtype(DType::F32).unwrap();
                let expected: Vec<f32> = rounded.to_vec1().unwrap();
                for source in [Source::Floats(&values), Source::Stored(&stored)] {
                    let tensor = upload(source, (1, count), dtype, &device).unwrap();
                    assert_eq!((tensor.dtype(), tensor.dims()), (dtype, &[1, count][..]));
                    assert!(download(&tensor).unwrap() == expected, "{device:?} {dtype:?} {count}");
                }
            }
        }
    }
}

#[test]
fn transposed_and_partial_tensors_are_downloaded_in_row_major_order() {
    for device in devices() {
        let values = floats(300 * 400);
        let tensor = upload(Source::Floats(&values), (300, 400), DType::F32, &device).unwrap();
        let column = |at: usize| (0..300).map(move |row| row * 400 + at);
        let expected: Vec<f32> = (10..390).flat_map(column).map(|at| values[at]).collect();
        let part = tensor.narrow(1, 10, 380).unwrap().t().unwrap();
        assert!(download(&part).unwrap() == expected, "{device:?}");
        let rows = tensor.narrow(0, 7, 200).unwrap();
        assert!(download(&rows).unwrap() == values[7 * 400..207 * 400], "{device:?}");
    }
}

#[test]
fn ids_reach_the_device() {
    for device in devices() {
        for count in SIZES {
            let ids: Vec<u32> =
                (0..count as u32).map(|id| id.wrapping_mul(2_654_435_761)).collect();
            let tensor = upload_ids(&ids, count, &device).unwrap();
            assert!(tensor.to_vec1::<u32>().unwrap() == ids, "{device:?} {count}");
        }
    }
}

#[test]
fn wrong_shape_is_an_error() {
    for device in devices() {
        for count in [5, 100_000] {
            let values = floats(count);
            upload(Source::Floats(&values), count + 1, DType::F32, &device).unwrap_err();
            upload_ids(&vec![0; count], count + 1, &device).unwrap_err();
        }
    }
}
