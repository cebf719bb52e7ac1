#pragma once

// Everything for the CPU. A backend that is not the default one has a header of its own:
// halfstep/backend/eigen.hpp, one_dnn.hpp, reference.hpp.

#include <halfstep/autograd/activation.hpp>
#include <halfstep/autograd/arithmetic.hpp>
#include <halfstep/autograd/backward.hpp>
#include <halfstep/autograd/cast.hpp>
#include <halfstep/autograd/check_gradients.hpp>
#include <halfstep/autograd/cross_entropy.hpp>
#include <halfstep/autograd/custom.hpp>
#include <halfstep/autograd/dropout.hpp>
#include <halfstep/autograd/elementwise.hpp>
#include <halfstep/autograd/gather.hpp>
#include <halfstep/autograd/linear.hpp>
#include <halfstep/autograd/loss.hpp>
#include <halfstep/autograd/matmul.hpp>
#include <halfstep/autograd/pointwise.hpp>
#include <halfstep/autograd/reduction.hpp>
#include <halfstep/autograd/shape_operations.hpp>
#include <halfstep/autograd/softmax.hpp>
#include <halfstep/backend/setup.hpp>
#include <halfstep/data/from_memory.hpp>
#include <halfstep/data/loader.hpp>
#include <halfstep/data/mnist.hpp>
#include <halfstep/io/model_file.hpp>
#include <halfstep/nn/activations.hpp>
#include <halfstep/nn/dropout.hpp>
#include <halfstep/nn/linear.hpp>
#include <halfstep/nn/module_list.hpp>
#include <halfstep/nn/sequential.hpp>
#include <halfstep/optim/adam.hpp>
#include <halfstep/optim/adamw.hpp>
#include <halfstep/optim/default_optimizer.hpp>
#include <halfstep/optim/sgd.hpp>
#include <halfstep/scale/loss_scaler.hpp>
#include <halfstep/tensor/print.hpp>
#include <halfstep/train/evaluate.hpp>
#include <halfstep/train/predictor.hpp>
#include <halfstep/train/trainer.hpp>
